"""The texts of `--help`, written without Hydra, which would take more than a second."""

from string import Template

import yaml

from xray.config import CONF_DIR


def help_text(verb: str) -> str:
    """Return the help of a command, which is Hydra's help template in its configuration.

    Args:
        verb: The name of the command, and of its file in conf/.
    """
    config = yaml.safe_load((CONF_DIR / f"{verb}.yaml").read_text(encoding="utf-8"))
    template = config["hydra"]["help"]["template"]
    return Template(template).substitute(APP_CONFIG_GROUPS=_groups(config["defaults"]))


def _groups(defaults: list[str | dict[str, str]]) -> str:
    """List the groups that a command composes, and the groups in them, with their options."""
    chosen = [key for entry in defaults if isinstance(entry, dict) for key in entry]
    own = {key.partition("@")[0].partition("/")[0] for key in chosen}
    options: dict[str, list[str]] = {}
    for path in sorted(CONF_DIR.glob("*/**/*.yaml")):
        group = path.parent.relative_to(CONF_DIR).as_posix()
        if group.partition("/")[0] in own:
            options.setdefault(group, []).append(path.stem)
    width = max(map(len, options))
    return "\n".join(f"  {group:{width}}  {', '.join(names)}" for group, names in options.items())

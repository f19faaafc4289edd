"""Reading spark-submit's command line. Standard library only: the client starts with nothing else."""

# No annotations import and no dataclass: every import here is paid at the start of every job.
ON_A_CLUSTER = {
    "--archives", "--class", "--driver-class-path", "--driver-java-options", "--driver-library-path", "--exclude-packages",
    "--files", "--jars", "--keytab", "--kill", "--packages", "--principal", "--proxy-user", "--remote", "--repositories",
    "--status",
}  # fmt: skip
# What a warm session either takes over (name, conf, py-files) or has settled for all jobs (memory, cores, properties).
UNDERSTOOD = {
    "--conf", "--deploy-mode", "--driver-cores", "--driver-memory", "--executor-cores", "--executor-memory", "--master",
    "--name", "--num-executors", "--properties-file", "--py-files", "--queue", "--total-executor-cores", "-c",
}  # fmt: skip
QUIET_FLAGS = {"--verbose", "-v"}
FLAGS = {"--help", "--load-spark-defaults", "--supervise", "--usage-error", "--version", "-h", *QUIET_FLAGS}


class Submission:
    """A parsed command line. `options` maps an option to its values in order; a flag has an empty one."""

    def __init__(self, options: dict[str, list[str]], application: str, arguments: list[str]) -> None:
        self.options = options
        self.application = application
        self.arguments = arguments

    def last(self, option: str, default: str = "") -> str:
        """The value that counts where an option is given more than once: the last."""
        return self.options.get(option, [default])[-1]

    def conf(self) -> dict[str, str]:
        """The --conf pairs (name=value)."""
        pairs = self.options.get("--conf", []) + self.options.get("-c", [])
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def is_for_warm(self) -> bool:
        """Whether a warm session can stand in: a Python file, run on this machine, with options that are understood."""
        return (
            self.application.endswith(".py")
            and self.options.keys() <= UNDERSTOOD | QUIET_FLAGS
            and self.last("--master", "local").startswith("local")
            and self.last("--deploy-mode", "client") == "client"
        )


def parse(argv: list[str]) -> Submission | None:
    """The command line without the program's name; None where it is not one we know: the real spark-submit judges it."""
    options: dict[str, list[str]] = {}
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if option in FLAGS and not equals:
            options.setdefault(option, []).append("")
        elif option in UNDERSTOOD | ON_A_CLUSTER and (equals or rest):
            options.setdefault(option, []).append(value if equals else rest.pop(0))
        else:
            return None
    return Submission(options, rest[0], rest[1:]) if rest else None

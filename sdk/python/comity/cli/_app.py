"""The tree of commands: names, options and help. What a command does is in the module that it imports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

_HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="comity",
    help="Comity: a specification-first protocol for meshes of software agents.",
    no_args_is_help=True,
    add_completion=False,
    context_settings=_HELP,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
spec = typer.Typer(help="Work on a specification.", no_args_is_help=True, context_settings=_HELP)
serve = typer.Typer(help="Run a service.", no_args_is_help=True, context_settings=_HELP)
brokers = typer.Typer(help="Run real brokers on loopback.", no_args_is_help=True, context_settings=_HELP)
app.add_typer(spec, name="spec")
app.add_typer(serve, name="serve")
app.add_typer(brokers, name="brokers")
transport = typer.Typer(help="Prepare a broker.", no_args_is_help=True, context_settings=_HELP)
app.add_typer(transport, name="transport")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"comity {installed('comity')}")
        raise typer.Exit


@app.command()
def certify(
    target: Annotated[
        str | None,
        typer.Argument(help="`stdio:COMMAND`, `python:MODULE:FACTORY`, or with --live a broker URL."),
    ] = None,
    family: Annotated[str, typer.Option(help="Protocol family.")] = "registry",
    role: Annotated[str, typer.Option(help="Role to certify.")] = "registry",
    profile: Annotated[
        str, typer.Option(help="`core`, `extended` (declared features too) or `strict` (SHOULD too).")
    ] = "core",
    plans: Annotated[
        int | None,
        typer.Option(min=1, help="How many plans to run; by default until every row has fired."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all plans.")] = 0,
    live: Annotated[bool, typer.Option("--live", help="TARGET is a broker with a running service.")] = False,
    reference: Annotated[
        bool, typer.Option("--reference", help="Start and certify the reference implementation.")
    ] = False,
    everywhere: Annotated[
        bool,
        typer.Option(
            "--everywhere",
            help="The reference in simulation, in process, and live on every broker that can be had here.",
        ),
    ] = False,
    namespace: Annotated[str, typer.Option(help="Namespace of the live service.")] = "default",
    report: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Write index.html, report.json, junit.xml and certificate.json there."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the subject's answer.")] = 5.0,
    json: Json = False,
) -> None:
    """Certify an implementation: a verdict per requirement, a counterexample per failure.

    Example: `comity certify stdio:"python3 my_registry.py" --report report`

    Exit status: 0 conformant, 1 not conformant, 2 incomplete, 3 adapter, usage or nobody there, 4 self-check.
    """
    from comity.cli._certify import Job, certify_command

    job = Job(
        target=target,
        family=family,
        role=role,
        profile=profile,
        plans=plans,
        seed=seed,
        live=live,
        reference=reference,
        everywhere=everywhere,
        namespace=namespace,
        timeout=timeout,
    )
    raise typer.Exit(certify_command(job, report, as_json=json))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A failure file that `comity certify --report` wrote.")],
    target: Annotated[
        str | None,
        typer.Option(help="Run it against another target than the recorded one."),
    ] = None,
    json: Json = False,
) -> None:
    """Run one recorded failure again, byte for byte.

    Example: `comity replay report/failures/REG-LEASE-007.json`
    """
    from comity.cli._certify import replay_command

    raise typer.Exit(replay_command(file, target, as_json=json))


@app.command()
def drive(
    target: Annotated[
        str, typer.Argument(help="`python:MODULE:FACTORY`.")
    ] = "python:comity.registry:reference",
) -> None:
    """Speak the driver protocol on standard input and output for a Python implementation.

    Example: `comity certify stdio:"comity drive"` certifies the reference as a process of its own.
    """
    from comity.cli._certify import drive_command

    raise typer.Exit(drive_command(target))


@app.command()
def generate(
    specdir: Annotated[Path, typer.Argument(help="Directory of a family: the one with protocol.yaml.")],
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("generated"),
    target: Annotated[str, typer.Option(help="`python`, `jsonschema` or `docs`.")] = "python",
    json: Json = False,
) -> None:
    """Generate bindings, schemas or reference pages from any spec written in the language.

    Example: `comity generate --target python --out bindings spec/registry/v1`
    """
    from comity.cli._spec import generate_command

    raise typer.Exit(generate_command(specdir, out, target, as_json=json))


@spec.command("lint")
def spec_lint(
    path: Annotated[
        Path | None,
        typer.Argument(help="A family's directory, or a tree of them; by default ./spec."),
    ] = None,
    json: Json = False,
) -> None:
    """Check a spec: every finding as `file:line: RULE message`.

    Example: `comity spec lint spec/registry/v1`
    """
    from comity.cli._spec import lint_command

    raise typer.Exit(lint_command(path or Path("spec"), as_json=json))


@spec.command("coverage")
def spec_coverage(
    write: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Write the table of source features there, as docs/coverage.md is."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say for each requirement which properties and mutants stand behind it.

    Example: `comity spec coverage --json | jq '.[] | select(.mutants == [])'`
    """
    from comity.cli._spec import coverage_command

    raise typer.Exit(coverage_command(write, as_json=json))


@serve.command("registry")
def serve_registry(
    transport: Annotated[
        str | None,
        typer.Option(help="Transport URL, such as nats://127.0.0.1:4222."),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(help="Journal URL, such as sqlite:registry.db."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(help="Namespace to serve."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="`open` or `signed`."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(help="File with the service's key; made on first use."),
    ] = None,
    json: Json = False,
) -> None:
    """Serve a namespace's registry until interrupted.

    Example: `comity serve registry --transport nats://127.0.0.1:4222 --journal sqlite:registry.db`
    """
    from comity.cli._serve import serve_registry_command

    raise typer.Exit(serve_registry_command(transport, journal, namespace, profile, identity, as_json=json))


@serve.command("gateway")
def serve_gateway(
    from_: Annotated[str, typer.Option("--from", help="Transport URL of one broker.")],
    to: Annotated[str, typer.Option("--to", help="Transport URL of the other one.")],
    from_namespace: Annotated[
        list[str] | None,
        typer.Option(help="Namespace at home on the first, to be read on the other; repeatable."),
    ] = None,
    to_namespace: Annotated[
        list[str] | None,
        typer.Option(help="Namespace at home on the second, likewise."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="`open`, or `signed`, which verifies what it sends on."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(help="File with the gateway's key; made on first use."),
    ] = None,
    json: Json = False,
) -> None:
    """Join two brokers: namespaces at home on one can be read, and only read, on the other.

    Example: `comity serve gateway --from mqtt://127.0.0.1:1883 --from-namespace edge --to nats://127.0.0.1:4222`
    """
    from comity.cli._gateway import serve_gateway_command

    sides = (from_, from_namespace or []), (to, to_namespace or [])
    raise typer.Exit(serve_gateway_command(*sides, profile, identity, as_json=json))


@brokers.command("up")
def brokers_up(
    names: Annotated[list[str], typer.Argument(help="Brokers: kafka, mqtt, nats.")],
    nodes: Annotated[int, typer.Option(help="Nodes of each: 1, or 3 of nats or kafka.")] = 1,
    tls: Annotated[bool, typer.Option("--tls", help="With TLS; the URLs name the authority's file.")] = False,
    json: Json = False,
) -> None:
    """Start real brokers on free loopback ports and print their URLs.

    Example: `comity brokers up nats kafka --nodes 3 --tls`
    """
    from comity.cli._brokers import up_command

    raise typer.Exit(up_command(names, nodes=nodes, tls=tls, as_json=json))


@brokers.command("down")
def brokers_down(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Brokers; all by default."),
    ] = None,
    json: Json = False,
) -> None:
    """Stop brokers that `comity brokers up` started.

    Example: `comity brokers down nats`
    """
    from comity.cli._brokers import down_command

    raise typer.Exit(down_command(names or [], as_json=json))


@brokers.command("status")
def brokers_status(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Brokers; all by default."),
    ] = None,
    json: Json = False,
) -> None:
    """List the brokers that are up.

    Example: `comity brokers status`
    """
    from comity.cli._brokers import status_command

    raise typer.Exit(status_command(names or [], as_json=json))


@transport.command("init")
def transport_init(
    url: Annotated[
        str | None, typer.Argument(help="Transport URL; by default that of comity.toml or COMITY_TRANSPORT.")
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace to prepare.")] = None,
    family: Annotated[
        list[str] | None, typer.Option(help="Protocol family, once for each; all by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Make, or check, what the families' channels need at the broker: the topics, on Kafka. May be repeated.

    Example: `comity transport init kafka://127.0.0.1:9092?partitions=12 --namespace acme --family registry`
    """
    from comity.cli._transport import transport_init_command

    raise typer.Exit(transport_init_command(url, namespace, family or [], as_json=json))


@app.command("init")
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write; made if missing.")] = Path(),
    json: Json = False,
) -> None:
    """Write a runnable agent in ten lines and its comity.toml.

    Example: `comity init hello && cd hello && python agent.py`
    """
    from comity.cli._init import init_command

    raise typer.Exit(init_command(directory, as_json=json))


@app.command("starter")
def starter(
    role: Annotated[str, typer.Argument(help="Role to start from.")] = "registry",
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path(),
    json: Json = False,
) -> None:
    """Write a small implementation in plain Python to start your own from.

    Example: `comity starter registry --out mine && comity certify stdio:"python3 mine/registry.py"`
    """
    from comity.cli._init import starter_command

    raise typer.Exit(starter_command(role, out, as_json=json))

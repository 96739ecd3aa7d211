"""The recorded histories: one file for each path of each version, read and written here."""

import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

DIRECTORY = Path(__file__).with_name("histories")
PRESENT = "0.4.0"
"""Histories of a former version are never recorded again: only that version could."""


def path_of(version: str, name: str) -> Path:
    return DIRECTORY / version / f"{name}.json"


def recorded() -> list[str]:
    """The names of all histories, as `<version>/<name>`."""
    return sorted(f"{file.parent.name}/{file.stem}" for file in DIRECTORY.glob("*/*.json"))


def read(recording: str) -> WorkflowHistory:
    version, _, name = recording.partition("/")
    return WorkflowHistory.from_json(name, path_of(version, name).read_text())


def write(version: str, name: str, history: WorkflowHistory) -> None:
    path_of(version, name).write_text(_without_stack_traces(history.to_json()))


def type_of(history: WorkflowHistory) -> str:
    return history.events[0].workflow_execution_started_event_attributes.workflow_type.name


def _without_stack_traces(history: str) -> str:
    def drop(members: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if name != "stackTrace"}

    return json.dumps(json.loads(history, object_hook=drop), indent=1) + "\n"

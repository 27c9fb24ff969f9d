"""What the terminal shows of the demonstration: a table that grows while people phone, and the sum at the end."""

from __future__ import annotations

from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from anruflotse.demo.scene import Story


class Show:
    """A live table on a terminal; elsewhere one line for every call when it is over."""

    def __init__(self, stories: list[Story], console: Console | None = None) -> None:
        """Show `stories`, which change while the show runs."""
        self._stories = stories
        self._console = console or Console()
        self._told: set[str] = set()
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._table)

    def __enter__(self) -> Self:
        """Begin."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the finished table standing."""
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._console.print(self._table())

    def changed(self) -> None:
        """A story has grown."""
        if self._console.is_terminal:
            return
        for story in self._stories:
            line = f"{story.caller.name}: {story.state}"
            if line not in self._told and story.state not in ("waits", "lost"):
                self._told.add(line)
                self._console.print(line, highlight=False)

    def _table(self) -> Group:
        table = Table(show_lines=True, expand=True)
        for title, ratio in (("Caller", 4), ("Heard and understood", 5), ("Reached", 3), ("Remains", 2), ("", 1)):
            table.add_column(title, ratio=ratio, overflow="fold")
        for story in self._stories:
            table.add_row(_who(story), _what(story), _where(story), _remains(story), _mark(story))
        return Group(table)


def _who(story: Story) -> Text:
    text = Text.assemble((story.caller.name, "bold"), " ", (story.caller.about, "dim"))
    for part in story.caller.parts:
        text.append(f"\n„{part.say}“" if part.say else f"\n[{part.press}]")
    return text


def _what(story: Story) -> Text:
    text = Text()
    for heard in story.heard:
        text.append(f"„{heard.strip()}“\n")
    if story.understood:
        text.append(f"→ {story.understood}", style="cyan")
    if story.think_ms is not None:
        text.append(f"\nafter {story.think_ms} ms of thinking", style="dim")
    return text


def _where(story: Story) -> Text:
    if story.answered_by:
        return Text(story.answered_by, style="green")
    return Text(story.state, style="dim" if not story.over else "red")


def _remains(story: Story) -> Text:
    if not story.over:
        return Text("")
    return Text(f"record until {story.kept_until}") if story.kept else Text("a counter")


def _mark(story: Story) -> Text:
    if not story.over:
        return Text("…", style="dim")
    return Text("✓", style="bold green") if story.as_it_must else Text("✗", style="bold red")

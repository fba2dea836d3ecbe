"""docs/performance.md: each figure has a section between markers, which a run of it renews."""

from benchmarks.data import Column, Figure, Goal, Row, Spread
from benchmarks.saved import image


def with_figures(page: str, figures: list[Figure]) -> str:
    """The page, with the sections of these figures renewed; a new one goes before the end mark."""
    for figure in figures:
        begin, end = _marker(figure.name, "begin"), _marker(figure.name, "end")
        text = f"{begin}\n{section(figure)}\n{end}"
        if begin in page:
            before, _, rest = page.partition(begin)
            page = before + text + rest.partition(end)[2]
        else:
            last = "<!-- figures: end -->"
            page = page.replace(last, f"{text}\n\n{last}")
    return page


def section(figure: Figure) -> str:
    """A figure's part of the page, as Markdown."""
    parts = [f"## {figure.title}", figure.how, table(figure)]
    if notes := [f"- {row.label}: {row.note}." for row in figure.rows if row.note]:
        parts.append("\n".join(notes))
    if judged := judgements(figure):
        parts.append(judged)
    parts += [f"Not measured: {name} ({why})." for name, why in figure.missing.items()]
    parts += [f"![{figure.title}](images/{image(figure, n)})" for n in range(len(figure.plots))]
    parts.append(f"`{figure.command}` · {figure.measured}")
    return "\n\n".join(parts)


def table(figure: Figure) -> str:
    """The rows: of each column the median, and from where to where the rounds went."""
    lines = [_line(["", *(column.heading for column in figure.columns), "rounds"])]
    lines.append(_line(["---", *["---:"] * (len(figure.columns) + 1)]))
    for row in figure.rows:
        cells = [_cell(row, column) for column in figure.columns]
        rounds = max((len(samples) for samples in row.samples.values()), default=0)
        lines.append(_line([row.label, *cells, str(rounds)]))
    return "\n".join(lines)


def judgements(figure: Figure) -> str:
    """The goals, and what was reached; empty if there are none."""
    lines = [
        _line([goal.text, shown(found, goal.digits), goal.limit, _verdict(goal, found)])
        for goal in figure.goals
        if (found := figure.judge(goal))
    ]
    if not lines:
        return ""
    return "\n".join(
        [_line(["", "measured", "goal", ""]), _line(["---", "---:", "---:", "---"]), *lines]
    )


def shown(spread: Spread, digits: int) -> str:
    """The median, and in brackets the least and the greatest, if there was more than one round."""
    mid = f"{spread.mid:,.{digits}f}"
    if spread.low == spread.high:
        return mid
    return f"{mid} ({spread.low:,.{digits}f} to {spread.high:,.{digits}f})"


def _verdict(goal: Goal, found: Spread) -> str:
    return "reached" if goal.reached(found) else "**not reached**"


def _cell(row: Row, column: Column) -> str:
    spread = row.spread(column.key)
    return shown(spread, column.digits) if spread else ""


def _marker(name: str, edge: str) -> str:
    return f"<!-- {name}: {edge} -->"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

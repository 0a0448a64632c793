"""Write a table as PDF.

Cells are drawn as text and never read as markup. The font that comes along (Bitstream Vera) knows
the languages of Western Europe; a font file ``templates/pdf.ttf`` in the bucket of the tasks takes
its place. What a font does not know becomes a question mark, and is counted.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sendmill.tasks.builtin.tables import Table
from sendmill.tasks.errors import PermanentFailure

if TYPE_CHECKING:
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

# 5,000 rows take 3 s of one of the processor's cores; nobody reads so many on paper.
MAX_ROWS = 5_000
_MARGIN = 36.0
_PADDING = 3.0
_SIZE = 8.0
_LEADING = 10.0
_MOST_LINES = 4
_SAMPLE = 200
_GREY = 0.94
# A column is no narrower than this, in points.
_NARROWEST = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pdf:
    """Hold a document, its number of pages, and how many characters its font does not know."""

    data: bytes
    pages: int
    unknown_characters: int


def as_pdf(table: Table, *, made_at: str, font_file: bytes | None = None) -> Pdf:
    """Return the table as PDF on A4; raises PermanentFailure for too many rows or a broken font."""
    if len(table.rows) > MAX_ROWS:
        raise PermanentFailure(
            f"a PDF has at most {MAX_ROWS} rows (got {len(table.rows)}): ask for csv or html"
        )
    return _Page(table, made_at, _font(font_file)).write()


class _Page:
    """Draw one table, row by row, and turn the page when it is full."""

    def __init__(self, table: Table, made_at: str, font: TTFont) -> None:
        from reportlab.lib.pagesizes import A4, landscape
        from reportlab.pdfgen.canvas import Canvas

        self._table = table
        self._made_at = made_at
        self._font = font
        self._known = font.face.charToGlyph
        self._unknown = 0
        self._width, self._height = landscape(A4) if len(table.columns) > 5 else A4
        self._out = io.BytesIO()
        # invariant: the same table is the same bytes
        self._canvas: Canvas = Canvas(
            self._out, pagesize=(self._width, self._height), invariant=1, pageCompression=1
        )
        self._canvas.setTitle(table.title)
        self._y = 0.0
        self._pages = 0
        self._widths = self._columns()

    def write(self) -> Pdf:
        """Draw everything."""
        self._begin()
        for row in self._table.rows:
            self._row(row, self._lines(row))
        self._end()
        self._canvas.save()
        return Pdf(data=self._out.getvalue(), pages=self._pages, unknown_characters=self._unknown)

    def _begin(self) -> None:
        self._pages += 1
        self._y = self._height - _MARGIN
        if self._pages == 1:
            self._y -= 16
            self._text(_MARGIN, self._y, self._shown(self._table.title), size=14)
            self._y -= 14
            self._text(_MARGIN, self._y, f"{len(self._table.rows)} rows, {self._made_at}")
            self._y -= 8
        self._row(self._table.columns, self._lines(self._table.columns), header=True)

    def _end(self) -> None:
        self._text(self._width - _MARGIN - 40, _MARGIN / 2, f"Page {self._pages}")
        self._canvas.showPage()

    def _row(
        self, cells: Sequence[str], lines: Sequence[Sequence[str]], *, header: bool = False
    ) -> None:
        height = max(map(len, lines)) * _LEADING + 2 * _PADDING
        if self._y - height < _MARGIN and not header:
            self._end()
            self._begin()
        canvas, x = self._canvas, _MARGIN
        if header:
            canvas.setFillGray(_GREY)
            canvas.rect(x, self._y - height, sum(self._widths), height, stroke=0, fill=1)
            canvas.setFillGray(0)
        for width, found in zip(self._widths, lines, strict=True):
            for place, line in enumerate(found):
                self._text(x + _PADDING, self._y - _PADDING - _SIZE - place * _LEADING, line)
            x += width
        self._y -= height
        canvas.setLineWidth(0.3)
        canvas.line(_MARGIN, self._y, x, self._y)

    def _text(self, x: float, y: float, text: str, *, size: float = _SIZE) -> None:
        self._canvas.setFont(self._font.fontName, size)
        self._canvas.drawString(x, y, text)

    def _lines(self, cells: Sequence[str]) -> list[list[str]]:
        return [
            self._wrapped(self._shown(cell), width - 2 * _PADDING)
            for cell, width in zip(cells, self._widths, strict=True)
        ]

    def _wrapped(self, text: str, width: float) -> list[str]:
        """Return the lines of a cell: broken at spaces, else anywhere; there are four at most."""
        lines: list[str] = []
        for word in text.split() or [""]:
            joined = f"{lines[-1]} {word}" if lines else word
            if lines and self._long(joined) <= width:
                lines[-1] = joined
                continue
            while self._long(word) > width and len(word) > 1 and len(lines) <= _MOST_LINES:
                fitting = next(
                    n for n in range(len(word), 0, -1) if self._long(word[:n]) <= width or n == 1
                )
                lines.append(word[:fitting])
                word = word[fitting:]
            lines.append(word)
            if len(lines) > _MOST_LINES:
                return [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1][:-1] + "…"]
        return lines

    def _long(self, text: str) -> float:
        return float(self._font.stringWidth(text, _SIZE))

    def _shown(self, text: str) -> str:
        missing = [c for c in text if ord(c) not in self._known and not c.isspace()]
        self._unknown += len(missing)
        if not missing:
            return text
        return text.translate({ord(c): "?" for c in set(missing)})

    def _columns(self) -> list[float]:
        """Share the width out by what the first rows need."""
        rows = [self._table.columns, *self._table.rows[:_SAMPLE]]
        room = self._width - 2 * _MARGIN
        wanted = [
            max(
                _NARROWEST,
                max(min(self._long(cell[:80]), room / 2) for cell in column) + 2 * _PADDING,
            )
            for column in zip(*rows, strict=True)
        ]
        share = room / sum(wanted)
        return [width * min(share, 1.5) for width in wanted]


def _font(font_file: bytes | None) -> Any:
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    try:
        found = TTFont("Report", io.BytesIO(font_file) if font_file else "Vera.ttf")
    except TTFError as error:
        raise PermanentFailure(f"templates/pdf.ttf is no TrueType font: {error}") from error
    registerFont(found)
    return found

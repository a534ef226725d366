"""Importing a TSV against the way it is usually done: objects added to a session, a commit per 5,000."""

import time
from pathlib import Path

from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from workbench import accounts, imports
from workbench.project import init_project
from workbench.tsv import open_tsv

ROWS = 50_000


class Base(DeclarativeBase):
    pass


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String, unique=True)
    text: Mapped[str]


def measure(folder: Path) -> tuple[str, str, str, str]:
    """Rows per second of both ways on the same file; ours also checks, hashes and accounts for every row."""
    file = folder / "posts.tsv"
    sample = (
        (Path(__file__).parents[2] / "data" / "sample" / "posts.tsv")
        .read_text(encoding="utf-8")
        .split("\n")[1:-1]
    )
    texts = [line.split("\t")[1] for line in sample]
    lines = (f"b{number}\t{texts[number % len(texts)]}{number}\n" for number in range(ROWS))
    file.write_text("id\ttext\n" + "".join(lines), encoding="utf-8")
    ours, usual = _ours(folder, file), _usual(folder, file)
    return "import, rows/s", f"{ours:,.0f}", f"{usual:,.0f} (ORM, commit per 5,000)", f"{ours / usual:.1f}x"


def _ours(folder: Path, file: Path) -> float:
    project = init_project(folder / "project")
    begin = time.perf_counter()
    with open_tsv(file) as source:
        imports.import_rows(project, accounts.command_line(project), source)
    return ROWS / (time.perf_counter() - begin)


def _usual(folder: Path, file: Path) -> float:
    engine = create_engine(f"sqlite:///{folder / 'plain.db'}")
    Base.metadata.create_all(engine)
    begin = time.perf_counter()
    with Session(engine) as session, file.open(encoding="utf-8") as stream:
        next(stream)
        for number, line in enumerate(stream, start=1):
            name, text = line.rstrip("\n").split("\t")
            session.add(Plain(name=name, text=text))
            if number % 5_000 == 0:
                session.commit()
        session.commit()
    return ROWS / (time.perf_counter() - begin)

"""The search index; bulk ids of resolutions; an index of labels"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # As plain SQL, so that SQLite adds the reference without copying the table.
    op.execute(
        "ALTER TABLE resolution ADD COLUMN bulk_id INTEGER "
        "CONSTRAINT fk_resolution_bulk_id_audit_entry REFERENCES audit_entry (id)"
    )
    for name, table, columns in (
        ("ix_resolution_bulk_id", "resolution", ["bulk_id"]),
        ("ix_annotation_label", "annotation", ["label", "post_id"]),
    ):
        is_set = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, table, columns, sqlite_where=is_set, postgresql_where=is_set)
    if op.get_bind().dialect.name == "sqlite":
        # The worker fills it in batches: ten million posts would delay the migration.
        op.execute(
            "CREATE VIRTUAL TABLE post_search USING fts5(terms, content='', contentless_delete=1, detail='none', "
            "tokenize=\"unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'\")"
        )
        op.execute("CREATE VIRTUAL TABLE post_search_terms USING fts5vocab(post_search, row)")

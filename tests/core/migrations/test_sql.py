"""What SQL does to a version that does not know it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.migrations.found import worst
from hatchway.core.migrations.sql import read_sql

ADDS = [
    "CREATE TABLE notes (id serial PRIMARY KEY, text varchar(10) NOT NULL);",
    "create index concurrently if not exists i on orders (note);",
    "ALTER TABLE orders ADD COLUMN note text;",
    "ALTER TABLE orders ADD note text NULL;",
    "ALTER TABLE orders ADD COLUMN n int NOT NULL DEFAULT 0, ADD COLUMN m int;",
    "BEGIN; SET lock_timeout = '2s'; COMMENT ON TABLE orders IS 'DROP TABLE orders'; COMMIT;",
    "INSERT INTO kinds (name) VALUES ('a; DROP TABLE kinds; --');",
    "/* outer /* DROP TABLE a; */ DROP TABLE b; */ CREATE TABLE c (id int);",
    "CREATE TABLE a (b int REFERENCES c ON DELETE CASCADE ON UPDATE CASCADE);",
    "GRANT SELECT, UPDATE, DELETE ON a TO shop;",
    "SET NOCOUNT ON\nGO\nCREATE TABLE a (b int)\nGO",
    'ALTER TABLE "drop" ADD COLUMN "rename" text;',
    "ALTER TABLE orders ALTER COLUMN note SET STATISTICS 500;",
    "",
    ";;;",
]
BREAKS = [
    ("DROP TABLE orders;", "drops the table orders"),
    ("drop\ttable if exists\n public.orders cascade", "drops the table public.orders"),
    ("DROP/**/TABLE/* x */orders", "drops the table orders"),
    ("ALTER TABLE orders DROP COLUMN note;", "drops the column orders.note"),
    ("ALTER TABLE orders DROP note", "drops the column orders.note"),
    (
        "ALTER TABLE ONLY public.orders DROP COLUMN IF EXISTS note",
        "drops the column public.orders.note",
    ),
    ("ALTER TABLE `orders` DROP COLUMN `note`", "drops the column orders.note"),
    ("ALTER TABLE [orders] DROP COLUMN [note]", "drops the column orders.note"),
    ('ALTER TABLE "or""ders" DROP COLUMN "no;te"', "no;te"),
    ("ALTER TABLE orders ADD COLUMN a int, DROP COLUMN b", "drops the column orders.b"),
    ("ALTER TABLE orders RENAME TO sales", "renames orders"),
    ("ALTER TABLE orders RENAME COLUMN note TO text", "renames orders.note"),
    ("RENAME TABLE orders TO sales", "renames orders"),
    ("ALTER TABLE orders ALTER COLUMN note TYPE int USING note::int", "type of orders.note"),
    ("ALTER TABLE orders ALTER note SET DATA TYPE int", "type of orders.note"),
    ("ALTER TABLE orders MODIFY note varchar(5)", "changes the column orders.note"),
    ("ALTER TABLE orders CHANGE COLUMN note text varchar(5)", "changes the column orders.note"),
    ("ALTER TABLE orders ALTER COLUMN note SET NOT NULL", "may not be empty"),
    ("ALTER TABLE orders ADD COLUMN note text NOT NULL", "has no default"),
    ("ALTER TABLE orders ADD price numeric(10, 2) NOT NULL", "has no default"),
    ("ALTER TYPE state RENAME VALUE 'a' TO 'b'", "changes the type state"),
    ("TRUNCATE orders", "empties orders"),
    ("DELETE FROM orders WHERE 1=1", "deletes rows of orders"),
    ("REVOKE ALL ON orders FROM shop", "takes rights away"),
    ("/*!40101 DROP TABLE orders */;", "drops the table orders"),
    ("DO $$ BEGIN ALTER TABLE a DROP COLUMN b; END $$;", "DROP COLUMN"),
    ("DO $x$ BEGIN IF true THEN DROP TABLE a; END IF; END $x$;", "DROP TABLE"),
    ("EXECUTE 'DROP TABLE orders'", "DROP TABLE"),
    ("CREATE TABLE a (id int);\r\nDROP TABLE b;\r\n", "drops the table b"),
    ("SET NOCOUNT ON\nGO\nDROP TABLE a\nGO\n", "drops the table a"),
    ("INSERT INTO t VALUES ('\\'); DROP TABLE a; --'", "drops the table a"),
    ("INSERT INTO t VALUES ('\\''); DROP TABLE a; --'", "drops the table a"),
    ('INSERT INTO t VALUES ("\\""); DROP TABLE a; SELECT "";', "drops the table a"),
    ("/*M! DROP TABLE a */", "drops the table a"),
    ("DROP TABLE 'unterminated", "drops the table"),
]
UNCLEAR = [
    "UPDATE orders SET note = 'x'",
    "SELECT purge_everything()",
    "CALL purge()",
    "CREATE OR REPLACE FUNCTION f() RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql",
    "CREATE UNIQUE INDEX i ON orders (note)",
    "CREATE TRIGGER t BEFORE INSERT ON orders EXECUTE FUNCTION f()",
    "DROP INDEX i",
    "ALTER TABLE orders ADD CONSTRAINT c CHECK (n > 0)",
    "ALTER TABLE orders DROP CONSTRAINT c",
    "ALTER TABLE orders ALTER COLUMN note DROP NOT NULL",
    "ALTER TYPE state ADD VALUE 'paid'",
    "FROBNICATE orders",
    "BEGIN ALTER TABLE a RENAME TO b END",
    "CREATE TABLE a (b int) DROP TABLE c",
    "SET NOCOUNT ON ALTER TABLE a ALTER COLUMN b int",
    "INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET b = 2",
    "INSERT INTO a VALUES ('open); DROP TABLE b;",
    "# it's\nDROP TABLE a;",
    "SET x = 1 \\i other.sql",
    "ALTER TABLE orders OWNER TO other",
    "\\i other.sql",
    "COPY orders FROM stdin",
    "ALTER TABLE orders",
    "DROP",
    "ALTER",
    "WITH gone AS (SELECT 1) SELECT * FROM gone",
]  # fmt: skip


@pytest.mark.parametrize("sql", ADDS)
def test_what_only_adds_is_told_from_what_breaks(sql: str) -> None:
    assert worst(read_sql(sql)) == "adds", read_sql(sql)


@pytest.mark.parametrize(("sql", "words"), BREAKS)
def test_what_the_old_version_cannot_live_with_is_found_and_named(sql: str, words: str) -> None:
    found = read_sql(sql)
    assert worst(found) == "breaks", found
    assert any(s.effect == "breaks" and words in s.text for s in found), found


@pytest.mark.parametrize("sql", UNCLEAR)
def test_what_cannot_be_told_is_unclear_and_never_harmless(sql: str) -> None:
    assert worst(read_sql(sql)) == "unclear", read_sql(sql)


@pytest.mark.parametrize("nasty", ["(" * 50_000, "/*" * 50_000, "'" * 49_999, "$$" * 25_001,
                                   "ALTER TABLE a DROP b," * 10_000, "a." * 50_000, "\\'" * 50_000])  # fmt: skip
def test_a_file_made_to_exhaust_the_reader_is_read_all_the_same(nasty: str) -> None:
    read_sql(nasty)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    read_sql(text)


CLOSED = [
    sql for sql in (*ADDS, *UNCLEAR) if not sql.startswith(("INSERT INTO a VALUES ('open", "#"))
]


@given(
    st.sampled_from([sql for sql, _ in BREAKS if "unterminated" not in sql]),
    st.lists(st.sampled_from(CLOSED), max_size=4),
    st.lists(st.sampled_from(CLOSED), max_size=4),
)
def test_nothing_written_around_it_hides_what_breaks(
    sql: str, before: list[str], after: list[str]
) -> None:
    assert worst(read_sql(";\n".join([*before, sql, *after]))) == "breaks"

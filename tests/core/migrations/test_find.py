"""Migrations are found by themselves, in the way of each framework, hostile and odd ones too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.migrations import MOST_BYTES, Migration, SourceFile, find_migrations

ALEMBIC = '''"""add note

Revision ID: 0042
"""
from alembic import op
import sqlalchemy as sa

revision = "0042"
down_revision: str = "0041"

def upgrade() -> None:
    {up}

def downgrade() -> None:
    {down}
'''
DJANGO = """from django.db import migrations, models

def forwards(apps, schema_editor):
    apps.get_model("shop", "Order").objects.all().delete()

class Migration(migrations.Migration):
    dependencies = [("shop", "0041_x")]
    operations = [
        {up}
    ]
"""
RAILS = """class ChangeOrders < ActiveRecord::Migration[7.1]
  {up}
end
"""


def found(path: str, text: str | bytes | None, change: Any = "added", **more: Any) -> Migration:
    data = text.encode() if isinstance(text, str) else text
    (one,) = find_migrations([SourceFile(path, change, data, more.get("size", len(data or b"")))])
    return one


def alembic(up: str, down: str = 'op.drop_column("orders", "note")') -> Migration:
    return found("app/alembic/versions/0042_add_note.py", ALEMBIC.format(up=up, down=down))


def django(up: str) -> Migration:
    return found("shop/migrations/0042_note.py", DJANGO.format(up=up))


def rails(up: str) -> Migration:
    return found("db/migrate/20240101120000_change_orders.rb", RAILS.format(up=up))


@pytest.mark.parametrize(
    ("up", "effect", "words"),
    [
        ('op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))', "adds", ""),
        ('op.add_column("o", sa.Column("n", sa.Text(), nullable=False, server_default="x"))', "adds", ""),
        ('op.create_table("notes", sa.Column("id", sa.Integer(), nullable=False))', "adds", ""),
        ('op.create_index(op.f("ix"), "orders", ["note"], unique=False)', "adds", ""),
        ("pass", "adds", ""),
        ('op.add_column("orders", sa.Column("note", sa.Text(), nullable=False))', "breaks", "orders.note"),
        ('op.drop_column("orders", "note")', "breaks", "drops the column orders.note"),
        ('op.drop_table("orders")', "breaks", "drops the table orders"),
        ('op.rename_table("orders", "sales")', "breaks", "renames the table"),
        ('op.alter_column("orders", "note", new_column_name="text")', "breaks", "renames"),
        ('op.alter_column("orders", "note", type_=sa.Integer())', "breaks", "type of orders.note"),
        ('op.alter_column("orders", "note", nullable=False)', "breaks", "may not be empty"),
        ('op.execute("ALTER TABLE orders DROP COLUMN note")', "breaks", "drops the column"),
        ('op.execute(sa.text("DROP TABLE orders"))', "breaks", "drops the table"),
        ('with op.batch_alter_table("orders") as batch:\n        batch.drop_column("note")', "breaks", "note"),
        ('if sa.true():\n        op.drop_table("orders")', "breaks", "orders"),
        ('op.execute(f"DROP TABLE {name}")', "unclear", "cannot be seen"),
        ('op.create_unique_constraint("u", "orders", ["note"])', "unclear", "create_unique"),
        ("sa.create_engine('x').execute('DROP TABLE a')", "unclear", "execute"),
        ("purge(op.get_bind())", "unclear", "purge"),
        ("getattr(op, 'drop_' + 'table')('orders')", "unclear", "getattr"),
        ('op.drop_column(**column)', "unclear", "cannot be seen"),
    ],
)  # fmt: skip
def test_alembic(up: str, effect: str, words: str) -> None:
    said = alembic(up)
    assert (said.framework, said.name, said.effect) == ("alembic", "0042", effect), said
    assert words in (said.seen[0].text if said.seen else ""), said


@pytest.mark.parametrize(
    ("down", "back", "effect"),
    [
        ('op.drop_column("orders", "note")', "yes", "adds"),
        ("pass", "no", "adds"),
        ('"""nothing"""', "no", "adds"),
        ("raise RuntimeError('no way')", "no", "unclear"),
        ('if True:\n        pass', "yes", "adds"),
    ],
)  # fmt: skip
def test_a_way_back_that_is_empty_or_raises_is_none(down: str, back: str, effect: str) -> None:
    said = alembic('op.add_column("orders", sa.Column("note", sa.Text()))', down)
    assert (said.back, said.effect) == (back, effect), said


def test_code_that_runs_when_a_migration_is_loaded_is_unclear() -> None:
    text = ALEMBIC.format(up="pass", down="pass") + "\nop.drop_table('orders')\n"
    assert found("migrations/versions/1_a.py", text).effect == "unclear"


def test_a_renamed_op_is_followed() -> None:
    text = ALEMBIC.replace("import op", "import op as o").format(
        up="o.drop_table('a')", down="pass"
    )
    assert found("migrations/versions/1_a.py", text).effect == "breaks"


@pytest.mark.parametrize(
    ("up", "effect", "words"),
    [
        ('migrations.CreateModel(name="Note", fields=[("id", models.AutoField())]),', "adds", ""),
        ('migrations.AddField("order", "note", models.TextField(null=True)),', "adds", ""),
        ('migrations.AddField("order", "note", models.TextField(db_default="")),', "adds", ""),
        ('migrations.AddField(model_name="order", name="tags", field=models.ManyToManyField("t")),', "adds", ""),
        ('migrations.RunSQL(sql="CREATE INDEX i ON a (b)", reverse_sql="DROP INDEX i"),', "adds", ""),
        ('migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("a")]),', "adds", ""),
        ('migrations.AddField("order", "note", models.TextField(default="")),', "breaks", "no default in the data"),
        ('migrations.AddField("order", "note", models.TextField()),', "breaks", "order.note"),
        ('migrations.RemoveField(model_name="order", name="note"),', "breaks", "drops the column order.note"),
        ('migrations.DeleteModel(name="Order"),', "breaks", "Order"),
        ('migrations.RenameField("order", "a", "b"),', "breaks", "renames"),
        ('migrations.RenameModel("Order", "Sale"),', "breaks", "renames"),
        ('migrations.RunSQL(["CREATE TABLE a (b int)", "DROP TABLE c"]),', "breaks", "drops the table c"),
        ('migrations.SeparateDatabaseAndState(database_operations=[migrations.DeleteModel("a")]),', "breaks", "a"),
        ("migrations.RunPython(forwards),", "unclear", "runs code"),
        ('migrations.AlterField("order", "note", models.IntegerField()),', "unclear", "AlterField"),
        ("*more_operations(),", "unclear", "cannot be seen"),
        ("], operations", "unclear", "cannot be read"),
    ],
)  # fmt: skip
def test_django(up: str, effect: str, words: str) -> None:
    said = django(up)
    assert (said.name, said.effect) == ("0042", effect), said
    assert words in (said.seen[0].text if said.seen else ""), said


def test_operations_that_are_added_to_later_are_not_seen_and_so_unclear() -> None:
    text = DJANGO.format(up="") + "    operations += more\n"
    assert found("shop/migrations/0043_x.py", text).effect == "unclear"


@pytest.mark.parametrize(
    ("up", "effect", "words"),
    [
        ("def change\n    add_column :orders, :note, :text\n  end", "adds", ""),
        ("def change\n    add_column :orders, :n, :integer, null: false, default: 0\n  end", "adds", ""),
        ("def change\n    create_table :notes do |t|\n      t.text :a, null: false\n      t.timestamps\n    end\n  end", "adds", ""),
        ("def up\n    execute <<~SQL\n      CREATE INDEX i ON a (b)\n    SQL\n  end\n  def down\n    remove_index :a, :b\n  end", "adds", ""),
        ("def change\n    # drop_table :orders\n    add_index :orders, :note\n  end", "adds", ""),
        ("def change\n    remove_column :orders, :note, :text\n  end", "breaks", "drops the column orders.note"),
        ("def change\n    drop_table :orders\n  end", "breaks", "drops the table orders"),
        ("def change\n    rename_column :orders,\n      :note,\n      :text\n  end", "breaks", "orders.note"),
        ("def up\n    change_column :orders, :note, :integer\n  end", "breaks", "type of orders.note"),
        ("def change\n    change_column_null :orders, :note, false\n  end", "breaks", "may not be empty"),
        ("def change\n    add_column(:orders, :note, :text, null: false)\n  end", "breaks", "no default"),
        ("def change\n    add_reference :orders, :customer, null: false\n  end", "breaks", "no default"),
        ("def change\n    add_timestamps :orders\n  end", "breaks", "timestamps"),
        ("def change\n    change_table :orders do |t|\n      t.remove :note\n    end\n  end", "breaks", "orders.note"),
        ("def change\n    safety_assured { remove_column :orders, :note }\n  end", "breaks", "note"),
        ("def up\n    execute 'DROP TABLE orders'\n  end", "breaks", "drops the table orders"),
        ("def up\n    execute <<-SQL.squish\n      ALTER TABLE a DROP COLUMN b\n    SQL\n  end", "breaks", "a.b"),
        ("def up\r\n    drop_table :orders\r\n  end\r\n", "breaks", "orders"),
        ("def up\n    Order.find_each { |o| o.destroy }\n  end", "unclear", "Order"),
        ("def change\n    add_index :orders, :note, unique: true\n  end", "unclear", "duplicates"),
        ("def change\n    do_it\n  end\n\n  def do_it\n    drop_table :a\n  end", "unclear", "do_it"),
        ("def up\n    execute 'CREATE TABLE a (b int); ' + drop\n  end", "unclear", "cannot be seen"),
        ("def up\n    execute(sql || 'SET x = 1')\n  end", "unclear", "cannot be seen"),
        ("def up\n    execute \"DROP #{x}\"\n  end", "unclear", "cannot be seen"),
        ("def up\n    add_column :a, :b, :text\n  end\n  def down\n    raise ActiveRecord::IrreversibleMigration\n  end", "unclear", "no way back"),
    ],
)  # fmt: skip
def test_rails(up: str, effect: str, words: str) -> None:
    said = rails(up)
    assert (said.framework, said.name) == ("rails", "20240101120000")
    assert said.effect == effect, said
    assert any(words in s.text for s in said.seen) or not words, said


def test_flyway_with_its_undo_file() -> None:
    files = [
        SourceFile("src/main/resources/db/migration/V42__note.sql", "added", b"ALTER TABLE a ADD b int;"),
        SourceFile("src/main/resources/db/migration/U42__note.sql", "added", b"ALTER TABLE a DROP b;"),
        SourceFile("src/main/resources/db/migration/R__views.sql", "added", b"CREATE OR REPLACE VIEW v AS SELECT 1;"),
        SourceFile("src/main/java/db/migration/V43__Purge.java", "added", b"class V43__Purge {}"),
    ]  # fmt: skip
    said = {m.name: (m.effect, m.back) for m in find_migrations(files)}
    assert said == {
        "42": ("adds", "yes"),
        "R__views.sql": ("unclear", "no"),
        "43": ("unclear", "unknown"),
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("migrations/0042_note.sql", "0042"),
        ("db/migrations/20240101120000-note.up.sql", "20240101120000"),
        ("prisma/migrations/20240101120000_note/migration.sql", "20240101120000"),
        ("services/shop/migrate/42.sql", "42"),
        ("db/042.sql", "042"),
    ],
)
def test_plain_sql_folders(path: str, name: str) -> None:
    said = found(path, "ALTER TABLE a DROP COLUMN b;")
    assert (said.name, said.effect, said.back) == (name, "breaks", "no")


@pytest.mark.parametrize(
    "text",
    [
        "-- +goose Up\nALTER TABLE a ADD b int;\n-- +goose Down\nALTER TABLE a DROP b;\n",
        "-- migrate:up\r\nALTER TABLE a ADD b int;\r\n-- migrate:down\r\nDROP TABLE a;\r\n",
    ],
)
def test_what_goes_down_in_the_same_file_is_not_what_the_release_does(text: str) -> None:
    said = found("migrations/1.sql", text)
    assert (said.effect, said.back) == ("adds", "yes")


def test_what_goes_up_again_after_the_way_down_is_seen() -> None:
    text = "-- +goose Up\nSET x=1;\n-- +goose Down\nSET x=0;\n-- +goose Up\nDROP TABLE a;\n"
    assert found("migrations/1.sql", text).effect == "breaks"


def test_a_down_file_belongs_to_its_up_file_and_is_no_migration() -> None:
    files = [
        SourceFile("migrations/1_a.up.sql", "added", b"CREATE TABLE a (b int);"),
        SourceFile("migrations/1_a.down.sql", "added", b"DROP TABLE a;"),
    ]
    assert [(m.path, m.effect, m.back) for m in find_migrations(files)] == [
        ("migrations/1_a.up.sql", "adds", "yes")
    ]


@pytest.mark.parametrize(
    ("data", "size", "words"),
    [
        (b"\x00\x01DROP TABLE a", 14, "binary"),
        ("ALTER TABLE größe ADD b int".encode("latin-1"), 27, "not UTF-8"),
        ("CREATE TABLE a (b int)".encode("utf-16"), 46, "binary"),
        (None, 5_000_000, "5.0 MB, too large"),
        (b"x" * (MOST_BYTES + 1), MOST_BYTES + 1, "too large"),
        (None, 12, "cannot be read"),
    ],
)
@pytest.mark.parametrize(
    "path", ["migrations/1.sql", "shop/migrations/0001_x.py", "db/migrate/1.rb"]
)
def test_what_cannot_be_read_is_a_migration_nobody_knows(
    path: str, data: bytes | None, size: int, words: str
) -> None:
    said = found(path, data, size=size)
    assert said.effect == "unclear"
    assert words in said.seen[0].text


def test_one_that_may_have_run_is_never_harmless() -> None:
    assert found("migrations/1.sql", "SET x=1;", "changed").effect == "unclear"
    assert found("migrations/1.sql", None, "deleted").effect == "unclear"
    assert found("migrations/1.sql", "DROP TABLE a;", "changed").effect == "breaks"


@pytest.mark.parametrize(
    "path",
    [
        "src/app.py",
        "migrations/README.md",
        "alembic/env.py",
        "migrations/alembic.ini",
        "drizzle/migrations/meta/0001_snapshot.json",
        "docs/versions/1.md",
        "queries/report.sql",
        "db/structure.sql",
        "sql/queries/report.sql",
        "VERSION",
        "",
    ],
)
def test_other_files_are_no_migrations(path: str) -> None:
    assert find_migrations([SourceFile(path, "added", b"DROP TABLE a")]) == ()


def test_an_empty_package_file_is_none_but_unknown_code_in_the_folder_is_unclear() -> None:
    assert find_migrations([SourceFile("shop/migrations/__init__.py", "added", b"\n")]) == ()
    assert find_migrations([SourceFile("api/versions/v1.py", "added", b"X = 1")]) == ()
    assert found("shop/migrations/purge.py", "import os").effect == "unclear"
    assert found("src/migrations/1-a.ts", "knex.schema.dropTable('a')").effect == "unclear"


@pytest.mark.parametrize("nasty", ["(" * 100_000, "-" * 100_000 + "1", "a." * 100_000 + "b",
                                   "[" * 90 + "]" * 90, "\\", "x = '" + "\\N{" * 1000])  # fmt: skip
@pytest.mark.parametrize("path", ["a/migrations/1.py", "db/migrate/1.rb"])
def test_code_made_to_exhaust_the_reader_is_unclear(path: str, nasty: str) -> None:
    assert found(path, nasty).effect == "unclear"


@pytest.mark.parametrize(
    "nasty", ["<<A\n", "=begin\n", " \n", "def a\n", "execute '", "a,\n", "#", "{|a"]
)
def test_a_file_of_a_quarter_megabyte_takes_no_minutes(nasty: str) -> None:
    """Quadratic reading took four minutes of some of these: the suite's limit is two."""
    text = f"def up\n{nasty * (MOST_BYTES // len(nasty) - 9)}"
    for path in ("db/migrate/1.rb", "migrations/1.sql", "migrations/1.py"):
        found(path, text)


@given(
    st.sampled_from(["migrations/1.sql", "migrations/1.py", "db/migrate/1.rb", "V1__a.sql"]),
    st.binary(max_size=300),
)
def test_any_bytes_can_be_read(path: str, data: bytes) -> None:
    find_migrations([SourceFile(path, "added", data, len(data))])

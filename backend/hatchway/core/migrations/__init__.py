"""Which changes of the database a release brings, found in its files. Pure."""

from hatchway.core.migrations.find import find_migrations, may_be_migration
from hatchway.core.migrations.found import MOST_BYTES, Migration, SourceFile

__all__ = ["MOST_BYTES", "Migration", "SourceFile", "find_migrations", "may_be_migration"]

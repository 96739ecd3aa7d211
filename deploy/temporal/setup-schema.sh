#!/bin/sh
# Creates Temporal's two databases, or brings them up to date. Safe to run again.
set -eu

tool() {
    temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p 5432 -u "$POSTGRES_USER" "$@"
}

setup() {
    database=$1
    schema=/etc/temporal/schema/postgresql/v12/$2/versioned
    if ! tool --db "$database" update-schema -d "$schema"; then
        tool --db "$database" create
        tool --db "$database" setup-schema -v 0.0
        tool --db "$database" update-schema -d "$schema"
    fi
}

setup temporal temporal
setup temporal_visibility visibility

# Sourced by backup.sh: views that mysqldump cannot read, or could not bring back.

# Adds the views that the server cannot read to `incomplete`, as schema.name: one of them would end the dump. They are
# found by the questions that mysqldump asks.
find_broken_views() {
  local schema view name
  ask "SELECT CONCAT(HEX(table_schema), ' ', HEX(table_name)) FROM information_schema.tables
       WHERE table_type = 'VIEW' AND table_schema NOT IN ($SYSTEM_SCHEMAS) ORDER BY 1;"
  while read -r schema view; do
    [[ -n $view ]] || continue
    from_hex schema "$schema"
    from_hex view "$view"
    name="$(quoted "$schema").$(quoted "$view")"
    ! say "SHOW CREATE VIEW $name; SHOW FIELDS FROM $name;" | server >/dev/null 2>&1 || continue
    incomplete+=("$schema.$view")
    say "leaving out the broken view $schema.$view"
  done <<<"$answer"
}

# Sets `checked` to the readable views WITH CHECK OPTION: schema and name by turns.
list_checked_views() {
  local schema view
  checked=()
  ask "SELECT CONCAT(HEX(table_schema), ' ', HEX(table_name)) FROM information_schema.views
       WHERE check_option <> 'NONE' AND table_schema NOT IN ($SYSTEM_SCHEMAS) ORDER BY 1;"
  while read -r schema view; do
    [[ -n $view ]] || continue
    from_hex schema "$schema"
    from_hex view "$view"
    [[ " ${incomplete[*]-} " == *" $schema.$view "* ]] || checked+=("$schema" "$view")
  done <<<"$answer"
}

# Only where it is needed: sed holds a whole line, and that may be a large row.
without_check_options() {
  if ((${#checked[@]} > 0)); then
    sed -E 's,^/\*!50002 WITH (CASCADED|LOCAL) CHECK OPTION \*/;$,;,'
  else
    cat
  fi
}

# Sourced by restore.sh and verify.sh: accounts that stand in for definers while a dump is loaded. A view of other views and of
# functions can be made only while the definers of those exist and may read what they are made of. But accounts come after
# the tables that they have rights on, and some were dropped since. Nobody can log in as one that stands in, and no event
# runs as it: that would take the right EVENT.

# definers FILE: of the dump's views and routines, as `name`@`host`. What is found in the text of a program does no harm.
definers() {
  local before='(/\*!50013|CREATE|/\*!50003 CREATE\*/ /\*!50020)'
  unpacked "$1" | grep -aoE "^$before DEFINER="'`([^`]|``)*`@`([^`]|``)*`' | sed 's/^[^`]*//' | sort -u || :
}

# make_stand_ins FILE: of those that there are none of. Sets `stand_ins` to them.
make_stand_ins() {
  local who found
  stand_ins=()
  found=$(definers "$1")
  while read -r who; do
    [[ -n $who ]] || continue
    ! say "SET SESSION sql_log_bin = 0; CREATE USER $who ACCOUNT LOCK; GRANT SELECT, EXECUTE ON *.* TO $who;" |
      server --binary-mode >/dev/null 2>&1 || stand_ins+=("$who")
  done <<<"$found"
}

remove_stand_ins() {
  local who
  for who in ${stand_ins[@]+"${stand_ins[@]}"}; do ask "SET SESSION sql_log_bin = 0; DROP USER $who;"; done
}

# Sourced by backup.sh and restore.sh: the accounts that the resource does not manage, with their hashes and rights. They
# are kept as SQL beside the dump: a line "-- account NAME", then one statement a line.

# Sets `who` to the accounts as 'name'@'host'.
list_accounts() {
  local row
  who=()
  ask "SELECT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.user
       WHERE NOT (user = 'mysql_operator' OR user LIKE 'mysql.%' OR (user = 'root' AND host IN ('%', 'localhost'))
                  OR (user = '$ACCOUNT' AND host = '%'))
         AND CONCAT(user, host) NOT REGEXP '[[:cntrl:]]' ORDER BY 1;"
  while read -r row; do [[ -z $row ]] || who+=("$row"); done <<<"$answer"
}

# Rows of SHOW CREATE USER and SHOW GRANTS behind a marker for each of `who`, escaped: a row is never more than a line.
describe_accounts() {
  local one
  {
    say '/*!80017 SET SESSION print_identified_with_as_hex = ON */;'
    for one in "${who[@]}"; do say "SELECT '-- account'; SHOW CREATE USER $one; SHOW GRANTS FOR $one;"; done
  } | server --skip-raw
}

# accounts_sql: the same as SQL. What has an escape in it, other than that of a backslash, could be read in two ways: that
# account is left out.
accounts_sql() {
  local line index=-1 statements='' plain
  while IFS= read -r line; do
    if [[ $line == '-- account' ]]; then
      printf '%s' "$statements"
      index=$((index + 1))
      statements="-- account ${who[index]}"$'\n'
      continue
    fi
    plain=${line//\\\\/}
    line=${line//\\\\/\\}
    [[ $plain != *\\* ]] || statements=''
    [[ -z $statements ]] || statements+="${line/#CREATE USER /CREATE USER IF NOT EXISTS };"$'\n'
  done
  printf '%s' "$statements"
}

# restore_accounts FILE: makes its accounts. One may need another, as a role, so those that fail are tried again as long as
# that helps; sets `skipped` to those that are left: their plugin is missing, or what they have rights on.
restore_accounts() {
  local line names=() sqls=() last=-1 left=() failed index said progress=1
  while IFS= read -r line; do
    if [[ $line == '-- account '* ]]; then
      last=$((last + 1))
      names[last]=${line#-- account }
      sqls[last]='SET SESSION sql_log_bin = 0;'
    else
      sqls[last]+=$'\n'$line
    fi
  done < <(gzip -dc -- "$1")
  for ((index = 0; index <= last; index++)); do left+=("$index"); done
  while ((progress && ${#left[@]})); do
    progress=0
    failed=()
    for index in "${left[@]}"; do
      if said=$(printf '%s\n' "${sqls[index]}" | server 2>&1); then
        progress=1
        continue
      fi
      failed+=("$index")
      # The server's own words may quote a hash.
      [[ $said =~ ERROR\ [0-9]+ ]] || BASH_REMATCH=('no error number')
      say "not yet ${names[index]}: ${BASH_REMATCH[0]}"
    done
    left=(${failed[@]+"${failed[@]}"})
  done
  skipped=()
  for index in ${left[@]+"${left[@]}"}; do skipped+=("${names[index]}"); done
}

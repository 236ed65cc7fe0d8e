# Sourced by backup.sh and restore.sh: the accounts that the resource does not manage, with their hashes and rights. They
# are kept as SQL beside the dump: a line "-- account NAME", then one statement a line.

# A line that is one statement, for the server and for the client, whatever is in its quotes. The server does not escape
# what an account has as SUBJECT, ISSUER or CIPHER: its author could have it end the statement and begin another.
readonly STATEMENT="^(CREATE USER IF NOT EXISTS|GRANT|REVOKE) ([A-Za-z0-9_ ,.@*()]|'([^'\\\\]|\\\\.)*'|\`[^\`]*\`)*;\$"
is_statement() { [[ $1 =~ $STATEMENT && $1 != *[[:cntrl:]]* ]]; }

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

# Rows of SHOW CREATE USER and SHOW GRANTS behind a marker for each of `who`, escaped: a row is never more than a line. One
# that was dropped meanwhile has none.
describe_accounts() {
  local one
  {
    say '/*!80017 SET SESSION print_identified_with_as_hex = ON */;'
    for one in "${who[@]}"; do say "SELECT '-- account'; SHOW CREATE USER $one; SHOW GRANTS FOR $one;"; done
  } | server --skip-raw --force
}

# accounts_sql: the same as SQL. What has an escape in it, other than that of a backslash, could be read in two ways: that
# account is left out, as is one with a line that is not a statement, or without any.
accounts_sql() {
  local line index=-1 statements='' plain
  while IFS= read -r line; do
    if [[ $line == '-- account' ]]; then
      keep_account "$statements"
      index=$((index + 1))
      statements="-- account ${who[index]}"$'\n'
      continue
    fi
    plain=${line//\\\\/}
    line=${line//\\\\/\\}
    line="${line/#CREATE USER /CREATE USER IF NOT EXISTS };"
    [[ $plain != *\\* ]] && is_statement "$line" || statements=''
    [[ -z $statements ]] || statements+=$line$'\n'
  done
  keep_account "$statements"
}

# keep_account STATEMENTS: to stdout, if they are whole: every account has rights, at least USAGE.
keep_account() { [[ $1 != *$'\n'CREATE\ USER*$'\n'GRANT\ * ]] || printf '%s' "$1"; }

# restore_accounts FILE: makes its accounts. One may need another, as a role, so those that fail are tried again as long as
# that helps; sets `skipped` to those that are left: their plugin is missing, or what they have rights on. So are those
# with anything but statements: an older version may have written the file.
restore_accounts() {
  local line names=() sqls=() last=-1 refused=() left=() failed index said progress=1
  while IFS= read -r line; do
    if [[ $line == '-- account '* ]]; then
      last=$((last + 1))
      names[last]=${line#-- account }
      sqls[last]='SET SESSION sql_log_bin = 0;'
    else
      is_statement "$line" || refused[last]=yes
      sqls[last]+=$'\n'$line
    fi
  done < <(gzip -dc -- "$1")
  skipped=()
  for ((index = 0; index <= last; index++)); do
    if [[ -z ${refused[index]-} ]]; then
      left+=("$index")
    else
      say "not ${names[index]}: what the file has for it is not what may be run"
      skipped+=("${names[index]}")
    fi
  done
  while ((progress && ${#left[@]})); do
    progress=0
    failed=()
    for index in "${left[@]}"; do
      if said=$(printf '%s\n' "${sqls[index]}" | server --binary-mode 2>&1); then
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
  for index in ${left[@]+"${left[@]}"}; do skipped+=("${names[index]}"); done
}

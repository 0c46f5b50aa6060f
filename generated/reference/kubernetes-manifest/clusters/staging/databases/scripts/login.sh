#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Creates one login of one database. Secrets are not passed as arguments or environment variables, which other processes could read.
set -eu

master=/secrets/master
login=/secrets/login
passwords=/run/login/passwords

password=$(cat "$login/password")
if [ -z "$password" ]; then
  echo "the password of the login is empty: check its ExternalSecret" >&2
  exit 1
fi

# In memory, and readable only by this user, as psql requires. Colons and backslashes are escaped.
umask 077
printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' "$master/password")" >"$passwords"

PGHOST=$(cat "$master/endpoint")
PGPORT=$(cat "$master/port")
PGDATABASE=$(cat "$master/name")
PGUSER=$(cat "$master/username")
LOGIN=$(cat "$login/username")
export PGHOST PGPORT PGDATABASE PGUSER PGPASSFILE="$passwords" LOGIN

# psql prompts for a new password twice. Without a terminal it reads standard input.
printf '%s\n%s\n' "$password" "$password" |
  psql --no-psqlrc --quiet --no-password \
    --set=database="$(cat "$login/name")" \
    --set=login="$LOGIN" \
    --set=number="$LOGIN_NUMBER" \
    --file=/scripts/login.sql

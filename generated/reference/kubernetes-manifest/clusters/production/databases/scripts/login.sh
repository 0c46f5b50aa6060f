#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Makes one login of one database. Nothing secret stands in arguments or in the environment, where others on the node could read it.
set -eu

master=/secrets/master
login=/secrets/login
passwords=/run/login/passwords

password=$(cat "$login/password")
if [ -z "$password" ]; then
  echo "the password of the login is empty: look at its ExternalSecret" >&2
  exit 1
fi

# In memory, and readable by this user alone, or psql would refuse it. Colons and backslashes mean something there.
umask 077
printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' "$master/password")" >"$passwords"

PGHOST=$(cat "$master/endpoint")
PGPORT=$(cat "$master/port")
PGDATABASE=$(cat "$master/name")
PGUSER=$(cat "$master/username")
LOGIN=$(cat "$login/username")
export PGHOST PGPORT PGDATABASE PGUSER PGPASSFILE="$passwords" LOGIN

# psql asks for a new password twice. It has no terminal here, so it reads standard input.
printf '%s\n%s\n' "$password" "$password" |
  psql --no-psqlrc --quiet --no-password \
    --set=database="$(cat "$login/name")" \
    --set=login="$LOGIN" \
    --set=number="$LOGIN_NUMBER" \
    --file=/scripts/login.sql

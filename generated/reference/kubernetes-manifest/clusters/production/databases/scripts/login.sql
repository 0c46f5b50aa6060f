-- Written by blueprint. Change the blueprint instead.

-- Makes one login of one database, by psql, as the master: which is no superuser, may make roles and databases, and for the rest
-- may do what it grants itself. Every step may be repeated, and what a run that broke off left undone, the next one does.
--
-- An application's data belongs to a role that nobody logs in as, called like the database. A login has a number, is a member of
-- that role, and becomes it with each session: what one login makes, the next may change.
--
--   database  the database, and the role that owns it
--   login     the login to make; its password comes over standard input, twice
--   number    its number; logins more than one below it are taken away
\set ON_ERROR_STOP on

-- psql's command for it makes a verifier of the password here, and of this kind whatever the server prefers: neither a statement
-- nor the server's log ever holds the password.
SET password_encryption = 'scram-sha-256';
SET client_min_messages = warning;

-- One login at a time: two that start together would make the same roles.
SET lock_timeout = '1min';
DO $$ BEGIN PERFORM pg_advisory_lock(hashtext('logins')); END $$;

SELECT set_config('logins.database', :'database', false) AS setting \gset
SELECT set_config('logins.login', :'login', false) AS setting \gset

DO $$
DECLARE
  owner text := current_setting('logins.database');
  login text := current_setting('logins.login');
  -- Since PostgreSQL 16 who makes a role may grant it, but neither has its rights nor may become it.
  whole text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
  former text;
BEGIN
  IF login IN (owner, current_user) THEN
    RAISE EXCEPTION 'the login cannot be "%": that is the owner of the database, or the master', login;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = owner AND rolcanlogin) THEN
    RAISE EXCEPTION 'the role "%" is somebody''s login, and the owner of a database is nobody''s', owner
    USING HINT = format('If nobody needs it, then as the master: ALTER ROLE %I NOLOGIN. Or give the application a database of another name.', owner);
  END IF;
  SELECT rolname INTO former FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE datname = owner AND rolname <> owner;
  -- Whose it is, only a person knows, unless it is the master's or that of one of these logins.
  IF former <> current_user AND former !~ ('^' || owner || '_[1-9][0-9]{0,3}$') THEN
    RAISE EXCEPTION 'the database "%" belongs to "%" already, and stays as it is', owner, former
    USING HINT = format('To hand it over, as the master: GRANT %I TO CURRENT_USER; ALTER DATABASE %I OWNER TO CURRENT_USER. Or give the application a database of another name.', former, owner);
  END IF;

  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = owner) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', owner);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
    EXECUTE format('CREATE ROLE %I', login);
  END IF;
  EXECUTE format('ALTER ROLE %I LOGIN', login);

  -- A database is given only to a role that the giver may become.
  EXECUTE format('GRANT %I TO CURRENT_USER', owner) || whole;
  IF former IS NOT NULL THEN
    IF former <> current_user THEN
      EXECUTE format('GRANT %I TO CURRENT_USER', former) || whole;
    END IF;
    EXECUTE format('ALTER DATABASE %I OWNER TO %I', owner, owner);
  END IF;

  EXECUTE format('GRANT %I TO %I', owner, login) || whole;
  EXECUTE format('ALTER ROLE %I SET role TO %I', login, owner);
END $$;

-- Neither in a transaction nor in a function.
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

-- Other applications have logins on the same server.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;

\password `echo "$LOGIN"`

\connect :"database"
SET client_min_messages = warning;
SET lock_timeout = '1min';
DO $$ BEGIN PERFORM pg_advisory_lock(hashtext('logins')); END $$;
-- No table of a running application is waited for longer than this: others would wait behind.
SET lock_timeout = '5s';

SELECT set_config('logins.database', :'database', false) AS setting \gset
SELECT set_config('logins.number', :'number', false) AS setting \gset

-- Closed first, in a transaction of its own, so that none comes back when its sessions end.
DO $$
DECLARE
  owner text := current_setting('logins.database');
  login text;
BEGIN
  FOR login IN
    SELECT rolname FROM generate_series(1, current_setting('logins.number')::integer - 2) AS number
    JOIN pg_roles ON rolname = format('%s_%s', owner, number)
    WHERE pg_has_role(pg_roles.oid, owner, 'MEMBER')
  LOOP
    EXECUTE format('ALTER ROLE %I NOLOGIN', login);
  END LOOP;
END $$;

DO $$
DECLARE
  owner text := current_setting('logins.database');
  whole text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
  login text;
  number integer;
BEGIN
  FOR login, number IN
    SELECT rolname, candidate FROM generate_series(1, 9999) AS candidate
    JOIN pg_roles ON rolname = format('%s_%s', owner, candidate)
    WHERE pg_has_role(pg_roles.oid, owner, 'MEMBER')
  LOOP
    EXECUTE format('GRANT %I TO CURRENT_USER', login) || whole;
    -- A pool of connections may reset the role of a session, which then makes things as the login itself.
    EXECUTE format('REASSIGN OWNED BY %I TO %I', login, owner);
    IF number >= current_setting('logins.number')::integer - 1 THEN
      EXECUTE format('REVOKE %I FROM CURRENT_USER', login);
      CONTINUE;
    END IF;
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = login;
    EXECUTE format('DROP OWNED BY %I', login);
    BEGIN
      EXECUTE format('DROP ROLE %I', login);
    EXCEPTION WHEN dependent_objects_still_exist THEN
      RAISE WARNING 'the login "%" is closed but stays, for it has something in another database', login;
    END;
  END LOOP;
END $$;

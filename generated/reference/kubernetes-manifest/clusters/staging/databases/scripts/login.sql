-- Written by blueprint. Change the blueprint instead.

-- Creates one login of one database, with psql, as the master login, which is not a superuser: it can create roles and databases, and
-- needs membership in a role for everything else. Every step is idempotent, and a run completes what an interrupted run left undone.
--
-- The data of an application belongs to an owner role without login, which has the name of the database. The numbered logins are members
-- of that role, and every session switches to it, so that the next login can change what the previous one created.
--
--   database  the database, and the role that owns it
--   login     the login to create; its password is read from standard input, twice
--   number    its number; logins more than one below it are removed
\set ON_ERROR_STOP on

-- psql computes the verifier on the client, with this algorithm regardless of the server default, so the password is in no statement
-- and in no server log.
SET password_encryption = 'scram-sha-256';
SET client_min_messages = warning;

-- One login at a time: concurrent runs would create the same roles.
SET lock_timeout = '1min';
DO $$ BEGIN PERFORM pg_advisory_lock(hashtext('logins')); END $$;

SELECT set_config('logins.database', :'database', false) AS setting \gset
SELECT set_config('logins.login', :'login', false) AS setting \gset

DO $$
DECLARE
  owner text := current_setting('logins.database');
  login text := current_setting('logins.login');
  -- Since PostgreSQL 16 the creator of a role may grant it, but does not inherit its privileges and cannot switch to it.
  whole text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
  former text;
BEGIN
  IF login IN (owner, current_user) THEN
    RAISE EXCEPTION 'the login cannot be "%": that is the owner of the database, or the master', login;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = owner AND rolcanlogin) THEN
    RAISE EXCEPTION 'the role "%" can log in, but the owner of a database must not', owner
    USING HINT = format('If nobody uses it, run as the master: ALTER ROLE %I NOLOGIN. Or give the application a database of another name.', owner);
  END IF;
  SELECT rolname INTO former FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE datname = owner AND rolname <> owner;
  -- The database of another role is not taken over, unless the owner is the master or one of these logins.
  IF former <> current_user AND former !~ ('^' || owner || '_[1-9][0-9]{0,3}$') THEN
    RAISE EXCEPTION 'the database "%" already belongs to "%" and was not changed', owner, former
    USING HINT = format('To transfer it, run as the master: GRANT %I TO CURRENT_USER; ALTER DATABASE %I OWNER TO CURRENT_USER. Or give the application a database of another name.', former, owner);
  END IF;

  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = owner) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', owner);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
    EXECUTE format('CREATE ROLE %I', login);
  END IF;
  EXECUTE format('ALTER ROLE %I LOGIN', login);

  -- ALTER DATABASE … OWNER requires membership in the new owner role.
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

-- This statement is possible neither in a transaction nor in a function.
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

-- Logins of other applications on the same server must not connect.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;

\password `echo "$LOGIN"`

\connect :"database"
SET client_min_messages = warning;
SET lock_timeout = '1min';
DO $$ BEGIN PERFORM pg_advisory_lock(hashtext('logins')); END $$;
-- Short, because a waiting lock blocks the queries of the running application behind it.
SET lock_timeout = '5s';

SELECT set_config('logins.database', :'database', false) AS setting \gset
SELECT set_config('logins.number', :'number', false) AS setting \gset

-- Disables the logins first, in a separate transaction, so that they cannot reconnect when their sessions are terminated.
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
    -- A connection pool may reset the role of a session, so that objects are created as the login itself.
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
      RAISE WARNING 'the login "%" is disabled but not dropped, because it owns objects in another database', login;
    END;
  END LOOP;
END $$;

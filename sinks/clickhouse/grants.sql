-- What each process may do in ClickHouse, as roles. Users are made by whoever keeps their passwords:
--   CREATE USER sink IDENTIFIED WITH sha256_hash BY '…' DEFAULT ROLE telemetry_sink;

-- telemetry-sink migrate
CREATE ROLE IF NOT EXISTS telemetry_ddl;
GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE ON telemetry.* TO telemetry_ddl;

-- telemetry-sink run; it ends the pauses of replays that have died
CREATE ROLE IF NOT EXISTS telemetry_sink;
GRANT SELECT, INSERT ON telemetry.events TO telemetry_sink;
GRANT SELECT, INSERT ON telemetry.chunks TO telemetry_sink;
GRANT SELECT, INSERT ON telemetry.dead_letters TO telemetry_sink;
GRANT INSERT ON telemetry.events_probe TO telemetry_sink;
GRANT INSERT ON telemetry.dead_letters_probe TO telemetry_sink;
GRANT SELECT ON telemetry.replays TO telemetry_sink;
GRANT SELECT ON telemetry.forgotten TO telemetry_sink;
GRANT DROP TABLE ON telemetry.replay_permit_* TO telemetry_sink;

-- telemetry-sink console, query, trace, retrace and run alerts; Grafana; analysts
CREATE ROLE IF NOT EXISTS telemetry_reader;
GRANT SELECT ON telemetry.* TO telemetry_reader;

-- telemetry-sink mapping, as a build server runs it
CREATE ROLE IF NOT EXISTS telemetry_mappings;
GRANT SELECT, INSERT, ALTER DELETE ON telemetry.mappings TO telemetry_mappings;

-- telemetry-sink replay, forget and regroup; telemetry-loadtest seed
CREATE ROLE IF NOT EXISTS telemetry_operator;
GRANT SELECT, INSERT, ALTER, CREATE TABLE, DROP TABLE ON telemetry.* TO telemetry_operator;
GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, DROP DATABASE, DROP TABLE ON telemetry_replay.* TO telemetry_operator;

--
-- PostgreSQL database dump
--


-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: note_schedule_edit(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.note_schedule_edit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.edited_at := clock_timestamp();
    RETURN NEW;
END
$$;


--
-- Name: note_schedule_rewind(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.note_schedule_rewind() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.edited_at := NULL;
    RETURN NEW;
END
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: api_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.api_key (
    id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash text NOT NULL,
    scopes json NOT NULL,
    functions json,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone
);


--
-- Name: COLUMN api_key.prefix; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.api_key.prefix IS 'how it begins, so that a person knows it again';


--
-- Name: COLUMN api_key.key_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.api_key.key_hash IS 'SHA-256; a key is random, so no salt is needed';


--
-- Name: COLUMN api_key.functions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.api_key.functions IS 'null: all';


--
-- Name: COLUMN api_key.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.api_key.expires_at IS 'null: never';


--
-- Name: COLUMN api_key.last_used_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.api_key.last_used_at IS 'to the minute';


--
-- Name: app_user; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.app_user (
    username text NOT NULL,
    email text,
    password_hash text NOT NULL,
    role text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_login_at timestamp with time zone,
    CONSTRAINT ck_app_user_role CHECK ((role = ANY (ARRAY['viewer'::text, 'operator'::text, 'admin'::text]))),
    CONSTRAINT ck_app_user_username CHECK ((username ~ '^[A-Za-z0-9_.@+-]{1,64}$'::text))
);


--
-- Name: COLUMN app_user.password_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.app_user.password_hash IS 'argon2id, with its parameters and salt';


--
-- Name: audit_entry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_entry (
    id uuid NOT NULL,
    "time" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text,
    details json NOT NULL
);


--
-- Name: COLUMN audit_entry.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.audit_entry.id IS 'UUIDv7: sorts by time';


--
-- Name: COLUMN audit_entry.actor; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.audit_entry.actor IS 'a user, key:NAME, cli:ACCOUNT, or local where nobody logs in';


--
-- Name: COLUMN audit_entry.subject; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.audit_entry.subject IS 'what was changed: a request''s id, a name';


--
-- Name: depth_sample; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.depth_sample (
    minute timestamp with time zone NOT NULL,
    queue text NOT NULL,
    depth integer NOT NULL
);


--
-- Name: discovered_unit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.discovered_unit (
    unit text NOT NULL,
    python text NOT NULL,
    files json NOT NULL
);


--
-- Name: COLUMN discovered_unit.python; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.discovered_unit.python IS 'interpreter that imported it';


--
-- Name: COLUMN discovered_unit.files; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.discovered_unit.files IS '[path, mtime in ns, size] of each file that it consisted of';


--
-- Name: idempotency_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.idempotency_key (
    function text NOT NULL,
    key text NOT NULL,
    request_id uuid NOT NULL,
    body_sha256 text NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: import_failure; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.import_failure (
    unit text NOT NULL,
    source_file text NOT NULL,
    error_type text NOT NULL,
    error_message text NOT NULL,
    traceback text NOT NULL
);


--
-- Name: input_file; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.input_file (
    request_id uuid NOT NULL,
    name text NOT NULL,
    filename text NOT NULL,
    size bigint NOT NULL,
    content_type text NOT NULL,
    sha256 text NOT NULL,
    stored_as text NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: COLUMN input_file.stored_as; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.input_file.stored_as IS 'key in the file store';


--
-- Name: login_failure; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.login_failure (
    subject text NOT NULL,
    failures integer NOT NULL,
    last_at timestamp with time zone NOT NULL,
    blocked_until timestamp with time zone NOT NULL
);


--
-- Name: COLUMN login_failure.subject; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.login_failure.subject IS 'whom or what the failures are counted for';


--
-- Name: login_session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.login_session (
    token_hash text NOT NULL,
    username text NOT NULL,
    address text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: COLUMN login_session.token_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.login_session.token_hash IS 'SHA-256 of what the cookie holds';


--
-- Name: metric_total; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.metric_total (
    name text NOT NULL,
    labels text NOT NULL,
    "values" double precision[] NOT NULL
)
WITH (fillfactor='50');


--
-- Name: COLUMN metric_total.labels; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.metric_total.labels IS 'the values of its labels, as a JSON array';


--
-- Name: COLUMN metric_total."values"; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.metric_total."values" IS 'one number, or the buckets of a histogram and its sum';


--
-- Name: minute_tally; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.minute_tally (
    minute timestamp with time zone NOT NULL,
    function text NOT NULL,
    completed integer NOT NULL,
    failed integer NOT NULL,
    waits json NOT NULL,
    runs json NOT NULL
);


--
-- Name: COLUMN minute_tally.waits; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.minute_tally.waits IS 'histogram of the time in the queue: bucket → count';


--
-- Name: COLUMN minute_tally.runs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.minute_tally.runs IS 'histogram of the time from claim to end: bucket → count';


--
-- Name: output_file; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.output_file (
    request_id uuid NOT NULL,
    name text NOT NULL,
    filename text NOT NULL,
    size bigint NOT NULL,
    content_type text NOT NULL,
    sha256 text NOT NULL,
    stored_as text NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: COLUMN output_file.stored_as; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.output_file.stored_as IS 'key in the file store';


--
-- Name: paused_queue; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.paused_queue (
    name text NOT NULL,
    paused_at timestamp with time zone NOT NULL
);


--
-- Name: processing_request; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.processing_request (
    id uuid NOT NULL,
    function text NOT NULL,
    status text NOT NULL,
    phase text,
    progress_fraction double precision,
    progress_message text,
    event json NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    max_attempts integer NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    losses integer DEFAULT 0 NOT NULL,
    on_lost text NOT NULL,
    job_id text,
    queue text NOT NULL,
    schedule text,
    created_at timestamp with time zone NOT NULL,
    available_at timestamp with time zone NOT NULL,
    rung_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    lease_expires_at timestamp with time zone,
    worker text,
    cancel_requested boolean DEFAULT false NOT NULL,
    error_type text,
    error_message text,
    scheduled_for timestamp with time zone,
    traceparent text,
    CONSTRAINT ck_processing_request_finished CHECK (((status = ANY (ARRAY['completed'::text, 'failed'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT ck_processing_request_lease CHECK (((status = 'processing'::text) = (lease_expires_at IS NOT NULL))),
    CONSTRAINT ck_processing_request_status CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');


--
-- Name: COLUMN processing_request.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.id IS 'UUIDv7: sorts by creation';


--
-- Name: COLUMN processing_request.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.attempt IS 'the fencing token';


--
-- Name: COLUMN processing_request.failures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.failures IS 'the function''s own, in this series';


--
-- Name: COLUMN processing_request.losses; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.losses IS 'lost workers, in this series';


--
-- Name: COLUMN processing_request.job_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.job_id IS 'RQ''s job that rang last';


--
-- Name: COLUMN processing_request.available_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.available_at IS 'not claimed before';


--
-- Name: COLUMN processing_request.rung_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.rung_at IS 'when the doorbell was last rung; null: not since it became pending';


--
-- Name: COLUMN processing_request.scheduled_for; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.scheduled_for IS 'the time of the schedule''s tick that it was made for';


--
-- Name: COLUMN processing_request.traceparent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.processing_request.traceparent IS 'the client''s, W3C Trace Context';


--
-- Name: processing_result; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.processing_result (
    request_id uuid NOT NULL,
    attempt integer NOT NULL,
    data json NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: registered_function; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.registered_function (
    name text NOT NULL,
    unit text NOT NULL,
    root text,
    module text NOT NULL,
    source_file text NOT NULL,
    source_line integer NOT NULL,
    description text NOT NULL,
    queue text NOT NULL,
    timeout_s double precision NOT NULL,
    max_attempts integer NOT NULL,
    memory_mb integer NOT NULL,
    retry_delay_s double precision NOT NULL,
    retry_max_delay_s double precision NOT NULL,
    on_lost text NOT NULL,
    environment json NOT NULL,
    input_schema json,
    schema_checked_outside boolean NOT NULL,
    has_cleanup boolean NOT NULL,
    schedule json,
    network boolean DEFAULT true NOT NULL
);


--
-- Name: COLUMN registered_function.unit; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registered_function.unit IS 'the module or package that was discovered';


--
-- Name: COLUMN registered_function.root; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registered_function.root IS 'folder that it is imported from';


--
-- Name: COLUMN registered_function.schedule; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.registered_function.schedule IS 'what @function(schedule=…) declares; null: nothing';


--
-- Name: request_attempt; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.request_attempt (
    request_id uuid NOT NULL,
    number integer NOT NULL,
    outcome text,
    worker text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    phases json DEFAULT '[]'::json NOT NULL,
    cold_start boolean,
    init_ms double precision,
    max_rss_mb double precision,
    error_type text,
    error_message text,
    traceback text
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');


--
-- Name: COLUMN request_attempt.outcome; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.request_attempt.outcome IS 'null while it runs';


--
-- Name: request_log; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.request_log (
    request_id uuid NOT NULL,
    attempt integer NOT NULL,
    number integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream text NOT NULL,
    line text NOT NULL
);


--
-- Name: COLUMN request_log.number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.request_log.number IS 'line number in the attempt';


--
-- Name: sandbox_note; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sandbox_note (
    pool text NOT NULL,
    sandboxes json NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: COLUMN sandbox_note.pool; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sandbox_note.pool IS 'host name and process id of the pool that owns them';


--
-- Name: schedule; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schedule (
    name text NOT NULL,
    function text NOT NULL,
    event json DEFAULT '{}'::json NOT NULL,
    expression text NOT NULL,
    timezone text DEFAULT 'UTC'::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    start_at timestamp with time zone,
    end_at timestamp with time zone,
    max_runs integer,
    misfire text DEFAULT 'once'::text NOT NULL,
    misfire_grace_s double precision DEFAULT '10'::double precision NOT NULL,
    overlap text DEFAULT 'allow'::text NOT NULL,
    queue text,
    description text DEFAULT ''::text NOT NULL,
    declared boolean DEFAULT false NOT NULL,
    next_run_at timestamp with time zone,
    last_run_at timestamp with time zone,
    total_runs integer DEFAULT 0 NOT NULL,
    last_request_id uuid,
    error text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    edited_at timestamp with time zone DEFAULT clock_timestamp(),
    CONSTRAINT ck_schedule_max_runs CHECK ((max_runs >= 1)),
    CONSTRAINT ck_schedule_misfire CHECK ((misfire = ANY (ARRAY['skip'::text, 'once'::text, 'all'::text]))),
    CONSTRAINT ck_schedule_misfire_grace_s CHECK ((misfire_grace_s >= (0)::double precision)),
    CONSTRAINT ck_schedule_name CHECK ((name ~ '^[A-Za-z0-9_-]{1,64}$'::text)),
    CONSTRAINT ck_schedule_overlap CHECK ((overlap = ANY (ARRAY['allow'::text, 'skip'::text]))),
    CONSTRAINT ck_schedule_times CHECK (((start_at > '1970-01-01 00:00:00+00'::timestamp with time zone) AND (start_at < '2201-01-01 00:00:00+00'::timestamp with time zone) AND (end_at > '1970-01-01 00:00:00+00'::timestamp with time zone) AND (end_at < '2201-01-01 00:00:00+00'::timestamp with time zone) AND (next_run_at > '1970-01-01 00:00:00+00'::timestamp with time zone) AND (next_run_at < '2201-01-01 00:00:00+00'::timestamp with time zone) AND (created_at > '1970-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2201-01-01 00:00:00+00'::timestamp with time zone) AND (edited_at > '1970-01-01 00:00:00+00'::timestamp with time zone) AND (edited_at < '2201-01-01 00:00:00+00'::timestamp with time zone)))
);


--
-- Name: COLUMN schedule.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schedule.queue IS 'null: the function''s own';


--
-- Name: COLUMN schedule.declared; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schedule.declared IS 'in code or localfn.toml';


--
-- Name: COLUMN schedule.next_run_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schedule.next_run_at IS 'the tick that it waits for; null: none, or not planned yet';


--
-- Name: COLUMN schedule.error; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schedule.error IS 'why it makes no requests';


--
-- Name: schedule_tick; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schedule_tick (
    schedule text NOT NULL,
    scheduled_for timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    request_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_schedule_tick_outcome CHECK ((outcome = ANY (ARRAY['fired'::text, 'overlapped'::text])))
);


--
-- Name: COLUMN schedule_tick.request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schedule_tick.request_id IS 'null when the request before still ran';


--
-- Name: setup_flag; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.setup_flag (
    name text NOT NULL,
    setup_complete boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: tally_mark; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tally_mark (
    single boolean DEFAULT true NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT ck_tally_mark_single CHECK (single)
);


--
-- Name: worker; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.worker (
    name text NOT NULL,
    hostname text NOT NULL,
    pid integer NOT NULL,
    queues text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0010');


--
-- Data for Name: api_key; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_key VALUES ('01a22eea-c287-70d5-8769-e4221ff74479', 'invoker', 'lfn_h8UK5D', '0969cc4d8e329c2a3c498d97a83e188a552a8afb8d219872b5ed91c9af4af36c', '["invoke","manage"]', '["echo"]', 'cli:root', '2026-12-01 00:04:26.886422+00', '2036-11-28 00:04:26.784555+00', NULL);
INSERT INTO public.api_key VALUES ('01a22eeb-7a14-76a2-a3e5-51f2e36217f8', 'reader', 'lfn_A4bX_P', '1fef2e534f69785fb85680a6883d3805b983cd087164a98a3825297f901743f6', '["read"]', NULL, 'cli:root', '2026-12-01 00:05:13.876591+00', NULL, NULL);
INSERT INTO public.api_key VALUES ('01a22eec-e00d-74fc-aa49-b95e2e96b150', 'admin', 'lfn_sZq4QB', '7cc5d4bc6e978359288fa3d7fa00e77745a54b9bad6a97d1db459164a24c0634', '["invoke","read","manage"]', NULL, 'cli:root', '2026-12-01 00:06:45.517525+00', NULL, '2026-12-01 00:06:48.291487+00');


--
-- Data for Name: app_user; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.app_user VALUES ('root', 'root@example.org', '$argon2id$v=19$m=19456,t=2,p=1$CXRqbkbFaUOEjZLEjrGKMA$AqixSxNeR8D8VJM3L2gPVZCoJAM/5MFqd3dPCepcf3Q', 'admin', true, '2026-12-01 00:02:57.50197+00', '2026-12-01 00:06:03.552919+00');


--
-- Data for Name: audit_entry; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit_entry VALUES ('01a22ee9-64c5-733b-80c9-3da721cb403e', '2026-12-01 00:02:57.350285+00', 'cli:root', 'schedule.create', 'example-nightly-profile', '{"command":"init"}');
INSERT INTO public.audit_entry VALUES ('01a22ee9-655e-709a-bf12-5d5a3f5e0a08', '2026-12-01 00:02:57.503933+00', 'cli:root', 'user.create', 'root', '{"command":"init"}');
INSERT INTO public.audit_entry VALUES ('01a22eea-4175-72ad-a2c1-6e191daab12b', '2026-12-01 00:03:53.860405+00', 'local', 'request.cancel', '01a22eea-3236-7449-8007-2819d282e69c', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eea-4d30-75a1-bc45-607b48661e39', '2026-12-01 00:03:56.857215+00', 'local', 'request.cancel', '01a22eea-47d0-7742-ac13-e7d761a054c9', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eea-5321-7325-acc2-2b3fd09b54cf', '2026-12-01 00:03:58.370568+00', 'local', 'schedule.create', 'every-minute', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eea-5a19-73e0-b274-c1caac0821c8', '2026-12-01 00:04:00.15417+00', 'local', 'schedule.create', 'berlin', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eea-68b3-75af-b43f-9efc13b79d3d', '2026-12-01 00:04:03.893327+00', 'local', 'schedule.create', 'aws-cron', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eea-6ff4-7286-836f-5a1245768348', '2026-12-01 00:04:05.749808+00', 'local', 'schedule.run', 'every-minute', '{"request_id":"01a22eea-6ff1-73cb-a2ae-1c97fd66a90f"}');
INSERT INTO public.audit_entry VALUES ('01a22eea-c292-71b0-8f9b-2793aa82cc93', '2026-12-01 00:04:26.901378+00', 'cli:root', 'key.create', 'invoker', '{"scopes":["invoke","manage"],"functions":["echo"]}');
INSERT INTO public.audit_entry VALUES ('01a22eea-dee8-7242-b898-1207c8dafff4', '2026-12-01 00:04:34.15394+00', 'cli:root', 'key.create', 'gone', '{"scopes":["read"],"functions":null}');
INSERT INTO public.audit_entry VALUES ('01a22eeb-0517-76b1-ba12-a68d7834a232', '2026-12-01 00:04:43.928242+00', 'local', 'queue.pause', 'low', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eeb-68e1-7761-897e-77b38cc5442f', '2026-12-01 00:05:09.473807+00', 'local', 'schedule.create', 'once-far', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eeb-7a1c-724b-9f86-b868ca5495e5', '2026-12-01 00:05:13.885359+00', 'cli:root', 'key.create', 'reader', '{"scopes":["read"],"functions":null}');
INSERT INTO public.audit_entry VALUES ('01a22eeb-9755-7677-8fba-97da22d697d0', '2026-12-01 00:05:21.369417+00', 'cli:root', 'key.revoke', 'gone', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eec-3bd8-7620-b4d8-f83e174ba7f9', '2026-12-01 00:06:03.486754+00', 'anonymous', 'session.login_failed', 'root', '{"address":"127.0.0.1"}');
INSERT INTO public.audit_entry VALUES ('01a22eec-3ce1-77ae-a2ce-63ee565367f4', '2026-12-01 00:06:03.7465+00', 'root', 'session.login', 'root', '{"address":"127.0.0.1"}');
INSERT INTO public.audit_entry VALUES ('01a22eec-e013-75de-8f8e-19181cbbdfd0', '2026-12-01 00:06:45.523982+00', 'cli:root', 'key.create', 'admin', '{"scopes":["invoke","read","manage"],"functions":null}');
INSERT INTO public.audit_entry VALUES ('01a22eec-ebb2-727b-9e5f-3346a06df8f3', '2026-12-01 00:06:48.4988+00', 'key:admin', 'queue.resume', 'low', '{}');
INSERT INTO public.audit_entry VALUES ('01a22eed-0122-724d-9d32-5d1defd6d5d6', '2026-12-01 00:06:53.987023+00', 'key:admin', 'queue.pause', 'low', '{}');


--
-- Data for Name: depth_sample; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.depth_sample VALUES ('2026-12-01 00:04:00+00', 'default', 0);
INSERT INTO public.depth_sample VALUES ('2026-12-01 00:05:00+00', 'default', 0);
INSERT INTO public.depth_sample VALUES ('2026-12-01 00:05:00+00', 'low', 1);
INSERT INTO public.depth_sample VALUES ('2026-12-01 00:06:00+00', 'default', 0);
INSERT INTO public.depth_sample VALUES ('2026-12-01 00:06:00+00', 'low', 2);


--
-- Data for Name: discovered_unit; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.discovered_unit VALUES ('/app/functions:upgrade_cases', '/opt/localfn/.venv/bin/python', '[["/app/functions/upgrade_cases.py",1796083364463320933,783]]');
INSERT INTO public.discovered_unit VALUES ('/opt/localfn/functions:csv_profile', '/opt/localfn/.venv/bin/python', '[["/opt/localfn/functions/csv_profile/__init__.py",1796083328756491829,93],["/opt/localfn/functions/csv_profile/chart.py",1796083328756491829,4544],["/opt/localfn/functions/csv_profile/kinds.py",1796083328756491829,2943],["/opt/localfn/functions/csv_profile/reading.py",1796083328756491829,6772],["/opt/localfn/functions/csv_profile/summary.py",1796083328756491829,5711],["/opt/localfn/functions/csv_profile/tally.py",1796083328756491829,4886],["/opt/localfn/functions/csv_profile/words.py",1796083328768491830,166]]');
INSERT INTO public.discovered_unit VALUES ('/opt/localfn/functions:fetch_json', '/opt/localfn/.venv/bin/python', '[["/opt/localfn/functions/fetch_json.py",1796083328768491830,10614]]');
INSERT INTO public.discovered_unit VALUES ('/opt/localfn/functions:profile_csv', '/opt/localfn/.venv/bin/python', '[["/opt/localfn/functions/csv_profile/__init__.py",1796083328756491829,93],["/opt/localfn/functions/csv_profile/chart.py",1796083328756491829,4544],["/opt/localfn/functions/csv_profile/kinds.py",1796083328756491829,2943],["/opt/localfn/functions/csv_profile/reading.py",1796083328756491829,6772],["/opt/localfn/functions/csv_profile/summary.py",1796083328756491829,5711],["/opt/localfn/functions/csv_profile/tally.py",1796083328756491829,4886],["/opt/localfn/functions/csv_profile/words.py",1796083328768491830,166],["/opt/localfn/functions/profile_csv.py",1796083328768491830,5509]]');
INSERT INTO public.discovered_unit VALUES ('/opt/localfn/functions:thumbnail', '/opt/localfn/.venv/bin/python', '[["/opt/localfn/functions/thumbnail.py",1796083328768491830,6229]]');


--
-- Data for Name: idempotency_key; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.idempotency_key VALUES ('echo', 'key-1', '01a22eeb-620f-7641-b77e-ec1750689532', '4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945', '2026-12-01 00:05:07.728647+00');


--
-- Data for Name: import_failure; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.import_failure VALUES ('/app/functions:unreadable', '/app/functions/unreadable.py', 'SyntaxError', 'invalid syntax (unreadable.py, line 1)', '  File "/app/functions/unreadable.py", line 1
    def f(:
          ^
SyntaxError: invalid syntax
');


--
-- Data for Name: input_file; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.input_file VALUES ('01a22eea-196e-74db-bc70-e07b4bc12146', 'in é.csv', 'in.csv', 8, 'text/csv', '492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470', '01a22eea-196e-74db-bc70-e07b4bc12146/in/in é.csv', '2026-12-01 00:03:43.605102+00');
INSERT INTO public.input_file VALUES ('01a22eea-1f4e-717c-bd46-9177e1bc1089', 'csv', 'in.csv', 8, 'text/csv', '492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470', '01a22eea-1f4e-717c-bd46-9177e1bc1089/in/csv', '2026-12-01 00:03:45.130974+00');


--
-- Data for Name: login_failure; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.login_failure VALUES ('address:127.0.0.1', 1, '2026-12-01 00:06:03.552919+00', '2026-12-01 00:06:03.552919+00');


--
-- Data for Name: login_session; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.login_session VALUES ('4c2924eff56f342929f930a148075494775da0452926ba23595ccb78e385bf28', 'root', '127.0.0.1', '2026-12-01 00:06:03.552919+00', '2026-12-01 00:06:03.552919+00', '2026-12-08 00:06:03.552919+00');


--
-- Data for Name: metric_total; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.metric_total VALUES ('localfn_cold_start_seconds', '["profile_csv"]', '{0,0,0,0,0,1,0,0,0,0,0,0,0,0.2365}');
INSERT INTO public.metric_total VALUES ('localfn_cold_starts', '["profile_csv"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["profile_csv", "invalid"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_reconciler_actions', '["rang"]', '{5}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["profile_csv", "failed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["broken", "failed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["broken", "failed"]', '{2}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["broken", "cleanup"]', '{2,0,0,0,0,0,0,0,0,0,0,0,0,9.999999999999999e-06}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["broken", "process"]', '{0,1,0,1,0,0,0,0,0,0,0,0,0,0.014246}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["broken", "validate"]', '{0,0,1,0,1,0,0,0,0,0,0,0,0,0.085638}');
INSERT INTO public.metric_total VALUES ('localfn_queue_wait_seconds', '["broken"]', '{0,0,0,0,2,0,0,0,0,0,0,0,0,0.139327}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["profile_csv", "completed"]', '{2}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["profile_csv", "cleanup"]', '{3,0,0,0,0,0,0,0,0,0,0,0,0,1.9999999999999998e-05}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["profile_csv", "process"]', '{2,0,0,0,0,0,0,0,0,0,0,0,0,0.000673}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["profile_csv", "save"]', '{0,0,0,0,2,0,0,0,0,0,0,0,0,0.12936199999999998}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["profile_csv", "validate"]', '{0,0,0,1,0,0,0,2,0,0,0,0,0,2.7883299999999998}');
INSERT INTO public.metric_total VALUES ('localfn_queue_wait_seconds', '["profile_csv"]', '{0,0,0,1,0,0,0,0,2,0,0,0,0,19.408711}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["profile_csv", "completed"]', '{2}');
INSERT INTO public.metric_total VALUES ('localfn_run_seconds', '["profile_csv"]', '{0,0,0,0,0,1,0,2,0,0,0,0,0,3.067691}');
INSERT INTO public.metric_total VALUES ('localfn_run_seconds', '["broken"]', '{0,0,0,1,1,0,0,0,0,0,0,0,0,0.107947}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["files", "completed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_cold_start_seconds', '["files"]', '{0,0,0,1,0,0,0,0,0,0,0,0,0,0.0303}');
INSERT INTO public.metric_total VALUES ('localfn_cold_starts', '["files"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["files", "cleanup"]', '{1,0,0,0,0,0,0,0,0,0,0,0,0,5e-06}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["files", "process"]', '{0,1,0,0,0,0,0,0,0,0,0,0,0,0.002696}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["files", "save"]', '{0,1,0,0,0,0,0,0,0,0,0,0,0,0.003649}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["files", "validate"]', '{0,0,0,1,0,0,0,0,0,0,0,0,0,0.031113}');
INSERT INTO public.metric_total VALUES ('localfn_queue_wait_seconds', '["files"]', '{0,0,0,1,0,0,0,0,0,0,0,0,0,0.011835}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["files", "completed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_run_seconds', '["files"]', '{0,0,0,1,0,0,0,0,0,0,0,0,0,0.041777}');
INSERT INTO public.metric_total VALUES ('localfn_cold_start_seconds', '["broken"]', '{0,0,0,0,1,0,0,0,0,0,0,0,0,0.0761}');
INSERT INTO public.metric_total VALUES ('localfn_cold_starts', '["broken"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["late", "timed_out"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_cold_start_seconds', '["late"]', '{0,0,0,0,1,0,0,0,0,0,0,0,0,0.060700000000000004}');
INSERT INTO public.metric_total VALUES ('localfn_cold_starts', '["late"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["late", "cleanup"]', '{1,0,0,0,0,0,0,0,0,0,0,0,0,6e-06}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["late", "process"]', '{0,0,0,0,0,0,0,1,0,0,0,0,0,1.2831620000000001}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["late", "validate"]', '{0,0,0,0,1,0,0,0,0,0,0,0,0,0.061177999999999996}');
INSERT INTO public.metric_total VALUES ('localfn_queue_wait_seconds', '["late"]', '{0,0,0,1,0,0,0,0,0,0,0,0,0,0.014416}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["late", "failed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_run_seconds', '["late"]', '{0,0,0,0,0,0,0,1,0,0,0,0,0,1.34912}');
INSERT INTO public.metric_total VALUES ('localfn_sandbox_kills', '["timeout"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["echo", "failed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["slow", "cancelled"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["echo", "completed"]', '{6}');
INSERT INTO public.metric_total VALUES ('localfn_cold_start_seconds', '["echo"]', '{0,0,0,0,2,0,0,0,0,0,0,0,0,0.13779999999999998}');
INSERT INTO public.metric_total VALUES ('localfn_cold_starts', '["echo"]', '{2}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["echo", "cleanup"]', '{6,0,0,0,0,0,0,0,0,0,0,0,0,2.1e-05}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["echo", "process"]', '{2,3,1,0,0,0,0,0,0,0,0,0,0,0.018496}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["echo", "save"]', '{6,0,0,0,0,0,0,0,0,0,0,0,0,0.000201}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["echo", "validate"]', '{0,1,2,1,2,0,0,0,0,0,0,0,0,0.166959}');
INSERT INTO public.metric_total VALUES ('localfn_queue_wait_seconds', '["echo"]', '{0,0,0,5,0,1,0,0,0,0,0,0,0,0.570112}');
INSERT INTO public.metric_total VALUES ('localfn_cold_start_seconds', '["slow"]', '{0,0,0,0,0,2,0,0,0,0,0,0,0,0.2345}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["echo", "completed"]', '{6}');
INSERT INTO public.metric_total VALUES ('localfn_run_seconds', '["echo"]', '{0,0,2,2,2,0,0,0,0,0,0,0,0,0.22354399999999996}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["slow", "failed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_sandbox_kills', '["cancel"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["slow", "lost"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_leases_lost', '[]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_reconciler_actions', '["rerun"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_schedule_lateness_seconds', '[]', '{0,1,0,0,0,0,0,1,0,0,0,0,0,1.509666}');
INSERT INTO public.metric_total VALUES ('localfn_attempts', '["slow", "completed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_cold_starts', '["slow"]', '{2}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["slow", "cleanup"]', '{2,0,0,0,0,0,0,0,0,0,0,0,0,9.999999999999999e-06}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["slow", "process"]', '{0,0,0,1,0,0,0,0,1,0,0,0,0,5.032433999999999}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["slow", "save"]', '{1,0,0,0,0,0,0,0,0,0,0,0,0,6.7e-05}');
INSERT INTO public.metric_total VALUES ('localfn_phase_seconds', '["slow", "validate"]', '{0,0,0,0,0,2,0,0,0,0,0,0,0,0.24651299999999998}');
INSERT INTO public.metric_total VALUES ('localfn_queue_wait_seconds', '["slow"]', '{0,0,0,1,0,0,0,0,0,0,1,0,0,100.092756}');
INSERT INTO public.metric_total VALUES ('localfn_requests_ended', '["slow", "completed"]', '{1}');
INSERT INTO public.metric_total VALUES ('localfn_run_seconds', '["slow"]', '{0,0,0,0,0,1,0,0,1,0,0,0,0,5.3091539999999995}');


--
-- Data for Name: minute_tally; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.minute_tally VALUES ('2026-12-01 00:03:00+00', 'broken', 0, 1, '{"98":1}', '{"81":1}');
INSERT INTO public.minute_tally VALUES ('2026-12-01 00:03:00+00', 'echo', 1, 1, '{"81":1,"0":1}', '{"98":1,"0":1}');
INSERT INTO public.minute_tally VALUES ('2026-12-01 00:03:00+00', 'files', 1, 0, '{"81":1}', '{"92":1}');
INSERT INTO public.minute_tally VALUES ('2026-12-01 00:03:00+00', 'late', 0, 1, '{"82":1}', '{"122":1}');
INSERT INTO public.minute_tally VALUES ('2026-12-01 00:03:00+00', 'profile_csv', 2, 1, '{"90":1,"139":2}', '{"101":1,"123":1,"122":1}');
INSERT INTO public.minute_tally VALUES ('2026-12-01 00:03:00+00', 'slow', 0, 1, '{"85":1}', '{"133":1}');
INSERT INTO public.minute_tally VALUES ('2026-12-01 00:04:00+00', 'echo', 2, 0, '{"82":1,"88":1}', '{"85":1,"83":1}');
INSERT INTO public.minute_tally VALUES ('2026-12-01 00:05:00+00', 'echo', 2, 0, '{"83":1,"88":1}', '{"78":2}');


--
-- Data for Name: output_file; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.output_file VALUES ('01a22ee9-6497-76aa-8c72-074fb72fa658', 'cleaned.csv', 'cleaned.csv', 192, 'text/csv', 'c2626f0f80fa55c59bab1f94ee13970f9c3b5e52cb46754bcbe37090a9c71c05', '01a22ee9-6497-76aa-8c72-074fb72fa658/1.73cad963/cleaned.csv', '2026-12-01 00:03:08.56599+00');
INSERT INTO public.output_file VALUES ('01a22ee9-6497-76aa-8c72-074fb72fa658', 'chart.svg', 'chart.svg', 2884, 'image/svg+xml', '07c3bebb9d59fb896bb18e4564ac6ab565d3d5b32c887f1ddddbc48345234829', '01a22ee9-6497-76aa-8c72-074fb72fa658/1.73cad963/chart.svg', '2026-12-01 00:03:08.56599+00');
INSERT INTO public.output_file VALUES ('01a22eea-196e-74db-bc70-e07b4bc12146', 'out é.txt', 'out é.txt', 14, 'text/plain', '2daf798c2aa0624902e6b6fd23e414e019a0306154cfbb15f2528aa238f74fae', '01a22eea-196e-74db-bc70-e07b4bc12146/1.73cad963/out é.txt', '2026-12-01 00:03:43.658714+00');
INSERT INTO public.output_file VALUES ('01a22eea-1f4e-717c-bd46-9177e1bc1089', 'cleaned.csv', 'cleaned.csv', 8, 'text/csv', '492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470', '01a22eea-1f4e-717c-bd46-9177e1bc1089/1.45f6cd96/cleaned.csv', '2026-12-01 00:03:45.296415+00');
INSERT INTO public.output_file VALUES ('01a22eea-1f4e-717c-bd46-9177e1bc1089', 'chart.svg', 'chart.svg', 1663, 'image/svg+xml', 'ac2ab932ae0a50f380f92ae231492110c629e2f3cc5a1026bdcf0adc14b85842', '01a22eea-1f4e-717c-bd46-9177e1bc1089/1.45f6cd96/chart.svg', '2026-12-01 00:03:45.296415+00');


--
-- Data for Name: paused_queue; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.paused_queue VALUES ('low', '2026-12-01 00:06:53.98624+00');


--
-- Data for Name: processing_request; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.processing_request VALUES ('01a22eeb-66ac-71d7-b9e7-fbf707e38a49', 'slow', 'completed', NULL, NULL, NULL, '{"s":0}', 1, 1, 0, 0, 'rerun', '01a22eeb-66ac-71d7-b9e7-fbf707e38a49-1', 'low', NULL, '2026-12-01 00:05:08.909427+00', '2026-12-01 00:05:08.909427+00', NULL, '2026-12-01 00:06:48.983636+00', '2026-12-01 00:06:49.142198+00', NULL, 'machine-9734aece', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22ee9-6498-718e-be9c-f3179e433b51', 'profile_csv', 'failed', 'validate', NULL, NULL, '{"csv":"a,b\n1,2\n","delimiter":"::"}', 1, 2, 1, 0, 'rerun', '01a22ee9-6498-718e-be9c-f3179e433b51-1', 'default', NULL, '2026-12-01 00:02:57.29548+00', '2026-12-01 00:02:57.29648+00', NULL, '2026-12-01 00:03:06.993131+00', '2026-12-01 00:03:08.337931+00', NULL, 'machine-45f6cd96', false, 'ValidationError', '$.delimiter: ''::'' is too long', NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22ee9-6497-76aa-8c72-074fb72fa658', 'profile_csv', 'completed', NULL, 1, '6 rows', '{"csv":"species,island,bill_length_mm,body_mass_g\nAdelie,Torgersen,39.1,3750\nAdelie,Torgersen,39.5,3800\nGentoo,Biscoe,46.1,4500\nGentoo,Biscoe,50.0,5700\nChinstrap,Dream,46.5,3500\nChinstrap,Dream,,3900\n"}', 1, 2, 0, 0, 'rerun', '01a22ee9-6497-76aa-8c72-074fb72fa658-1', 'default', NULL, '2026-12-01 00:02:57.29548+00', '2026-12-01 00:02:57.29648+00', NULL, '2026-12-01 00:03:06.972867+00', '2026-12-01 00:03:08.56599+00', NULL, 'machine-73cad963', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eeb-3c1f-728a-9e45-b33e80d83bf1', 'echo', 'completed', NULL, 0.5, 'half   way', '{"by":"rate"}', 1, 3, 0, 0, 'rerun', '01a22eeb-3c1f-728a-9e45-b33e80d83bf1-1', 'default', 'every-minute', '2026-12-01 00:04:58.004067+00', '2026-12-01 00:04:58.004067+00', NULL, '2026-12-01 00:04:58.030589+00', '2026-12-01 00:04:58.046591+00', NULL, 'machine-73cad963', false, NULL, NULL, '2026-12-01 00:04:58+00', NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-0bee-7616-9781-1d478968ee27', 'broken', 'failed', 'process', NULL, NULL, '{}', 2, 2, 2, 0, 'rerun', '01a22eea-0bee-7616-9781-1d478968ee27-2', 'default', NULL, '2026-12-01 00:03:40.16209+00', '2026-12-01 00:03:41.349165+00', NULL, '2026-12-01 00:03:41.431841+00', '2026-12-01 00:03:41.444501+00', NULL, 'machine-73cad963', false, 'ValueError', 'broken: ünï 💥 [31mred', NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eed-055b-76a1-8c9c-7a9105c5eb4b', 'slow', 'pending', NULL, NULL, NULL, '{"s":0}', 0, 1, 0, 0, 'rerun', '01a22eed-055b-76a1-8c9c-7a9105c5eb4b-1', 'low', NULL, '2026-12-01 00:06:55.068+00', '2026-12-01 00:06:55.068+00', '2026-12-01 00:06:55.068+00', NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-2d36-755e-9065-119e508ae391', 'slow', 'processing', 'process', NULL, NULL, '{}', 2, 1, 0, 1, 'rerun', '01a22eea-2d36-755e-9065-119e508ae391-2', 'low', NULL, '2026-12-01 00:03:48.687291+00', '2026-12-01 00:06:01.287385+00', NULL, '2026-12-01 00:06:48.984263+00', NULL, '2026-12-01 00:07:03.619398+00', 'machine-f83ddfae', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-11ba-712c-b3b7-f3df99e8c596', 'late', 'failed', 'process', NULL, NULL, '{}', 1, 1, 1, 0, 'rerun', '01a22eea-11ba-712c-b3b7-f3df99e8c596-1', 'default', NULL, '2026-12-01 00:03:41.627111+00', '2026-12-01 00:03:41.627111+00', NULL, '2026-12-01 00:03:41.641527+00', '2026-12-01 00:03:42.990647+00', NULL, 'machine-45f6cd96', false, 'TimedOut', 'It was killed after 1 s while running the function.', NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-196e-74db-bc70-e07b4bc12146', 'files', 'completed', NULL, NULL, NULL, '{}', 1, 1, 0, 0, 'rerun', '01a22eea-196e-74db-bc70-e07b4bc12146-1', 'default', NULL, '2026-12-01 00:03:43.605102+00', '2026-12-01 00:03:43.605102+00', NULL, '2026-12-01 00:03:43.616937+00', '2026-12-01 00:03:43.658714+00', NULL, 'machine-73cad963', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-1f4e-717c-bd46-9177e1bc1089', 'profile_csv', 'completed', NULL, 1, '1 row', '{}', 1, 2, 0, 0, 'rerun', '01a22eea-1f4e-717c-bd46-9177e1bc1089-1', 'default', NULL, '2026-12-01 00:03:45.130974+00', '2026-12-01 00:03:45.130974+00', NULL, '2026-12-01 00:03:45.166647+00', '2026-12-01 00:03:45.296415+00', NULL, 'machine-45f6cd96', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-2547-7157-914d-ba190c49a0ce', 'echo', 'pending', NULL, NULL, NULL, '{"later":1}', 0, 3, 0, 0, 'rerun', '01a22eea-2547-7157-914d-ba190c49a0ce-1', 'default', NULL, '2026-12-01 00:03:46.631378+00', '2026-12-01 00:05:46.631335+00', NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eeb-5c66-703e-aefd-34326d0b17fe', 'echo', 'completed', NULL, 0.5, 'half   way', '{"n":1849263518273645211,"dec":1.1,"neg":0,"exp":1e+300,"text":"ünï   💥 \\u0000-not","empty":"","":[null,true,{}],"deep":[[[[[]]]]]}', 1, 3, 0, 0, 'rerun', '01a22eeb-5c66-703e-aefd-34326d0b17fe-1', 'default', NULL, '2026-12-01 00:05:06.282158+00', '2026-12-01 00:05:06.282158+00', NULL, '2026-12-01 00:05:06.297396+00', '2026-12-01 00:05:06.305948+00', NULL, 'machine-73cad963', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-2b39-7745-9d63-2fd11cf44cc4', 'echo', 'completed', NULL, 0.5, 'half   way', 'null', 1, 3, 0, 0, 'rerun', '01a22eea-2b39-7745-9d63-2fd11cf44cc4-1', 'default', NULL, '2026-12-01 00:03:48.153834+00', '2026-12-01 00:03:48.153834+00', NULL, '2026-12-01 00:03:48.16648+00', '2026-12-01 00:03:48.256993+00', NULL, 'machine-73cad963', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eeb-620f-7641-b77e-ec1750689532', 'echo', 'completed', NULL, 0.5, 'half   way', '[]', 1, 3, 0, 0, 'rerun', '01a22eeb-620f-7641-b77e-ec1750689532-1', 'default', NULL, '2026-12-01 00:05:07.728647+00', '2026-12-01 00:05:07.728647+00', NULL, '2026-12-01 00:05:07.757396+00', '2026-12-01 00:05:07.766044+00', NULL, 'machine-73cad963', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-3236-7449-8007-2819d282e69c', 'slow', 'failed', 'process', NULL, NULL, '{}', 1, 1, 0, 0, 'rerun', '01a22eea-3236-7449-8007-2819d282e69c-1', 'low', NULL, '2026-12-01 00:03:49.942906+00', '2026-12-01 00:03:49.942906+00', NULL, '2026-12-01 00:03:49.961453+00', '2026-12-01 00:03:55.112045+00', NULL, 'machine-73cad963', true, 'Cancelled', 'The request was cancelled.', NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-47d0-7742-ac13-e7d761a054c9', 'echo', 'failed', NULL, NULL, NULL, '{}', 0, 3, 0, 0, 'rerun', '01a22eea-47d0-7742-ac13-e7d761a054c9-1', 'default', NULL, '2026-12-01 00:03:55.476375+00', '2026-12-01 00:20:34.472495+00', NULL, NULL, '2026-12-01 00:03:56.84312+00', NULL, NULL, true, 'Cancelled', 'The request was cancelled.', NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eea-6ff1-73cb-a2ae-1c97fd66a90f', 'echo', 'completed', NULL, 0.5, 'half   way', '{"by":"rate"}', 1, 3, 0, 0, 'rerun', '01a22eea-6ff1-73cb-a2ae-1c97fd66a90f-1', 'default', 'every-minute', '2026-12-01 00:04:05.743323+00', '2026-12-01 00:04:05.743323+00', NULL, '2026-12-01 00:04:05.757499+00', '2026-12-01 00:04:05.777743+00', NULL, 'machine-73cad963', false, NULL, NULL, NULL, NULL);
INSERT INTO public.processing_request VALUES ('01a22eec-2c72-7710-91f5-f53459e7e72e', 'echo', 'completed', NULL, 0.5, 'half   way', '{"by":"rate"}', 1, 3, 0, 0, 'rerun', '01a22eec-2c72-7710-91f5-f53459e7e72e-1', 'default', 'every-minute', '2026-12-01 00:05:59.505599+00', '2026-12-01 00:05:59.505599+00', NULL, '2026-12-01 00:05:59.97838+00', '2026-12-01 00:06:00.057965+00', NULL, 'machine-9734aece', false, NULL, NULL, '2026-12-01 00:05:58+00', NULL);


--
-- Data for Name: processing_result; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.processing_result VALUES ('01a22ee9-6497-76aa-8c72-074fb72fa658', 1, '{"rows":6,"columns":{"species":{"kind":"text","missing":0,"distinct":3,"min":"Adelie","max":"Gentoo","mean":null,"std":null,"quantiles":null,"top":[{"value":"Adelie","count":2},{"value":"Gentoo","count":2},{"value":"Chinstrap","count":2}]},"island":{"kind":"text","missing":0,"distinct":3,"min":"Biscoe","max":"Torgersen","mean":null,"std":null,"quantiles":null,"top":[{"value":"Torgersen","count":2},{"value":"Biscoe","count":2},{"value":"Dream","count":2}]},"bill_length_mm":{"kind":"number","missing":1,"distinct":5,"min":39.1,"max":50.0,"mean":44.239999999999995,"std":4.760042016621282,"quantiles":{"p05":39.18,"p25":39.5,"p50":46.1,"p75":46.5,"p95":49.3},"top":[{"value":39.1,"count":1},{"value":39.5,"count":1},{"value":46.1,"count":1},{"value":50.0,"count":1},{"value":46.5,"count":1}]},"body_mass_g":{"kind":"integer","missing":0,"distinct":6,"min":3500,"max":5700,"mean":4191.666666666667,"std":810.1954496704278,"quantiles":{"p05":3562.5,"p25":3762.5,"p50":3850.0,"p75":4350.0,"p95":5400.0},"top":[{"value":3750,"count":1},{"value":3800,"count":1},{"value":4500,"count":1},{"value":5700,"count":1},{"value":3500,"count":1}]}},"encoding":"utf-8","delimiter":",","ragged_rows":{"short":0,"long":0}}', '2026-12-01 00:03:08.56599+00');
INSERT INTO public.processing_result VALUES ('01a22eea-196e-74db-bc70-e07b4bc12146', 1, '{"inputs":["in é.csv"]}', '2026-12-01 00:03:43.658714+00');
INSERT INTO public.processing_result VALUES ('01a22eea-1f4e-717c-bd46-9177e1bc1089', 1, '{"rows":1,"columns":{"a":{"kind":"integer","missing":0,"distinct":1,"min":1,"max":1,"mean":1.0,"std":null,"quantiles":{"p05":1.0,"p25":1.0,"p50":1.0,"p75":1.0,"p95":1.0},"top":[{"value":1,"count":1}]},"b":{"kind":"integer","missing":0,"distinct":1,"min":2,"max":2,"mean":2.0,"std":null,"quantiles":{"p05":2.0,"p25":2.0,"p50":2.0,"p75":2.0,"p95":2.0},"top":[{"value":2,"count":1}]}},"encoding":"utf-8","delimiter":",","ragged_rows":{"short":0,"long":0}}', '2026-12-01 00:03:45.296415+00');
INSERT INTO public.processing_result VALUES ('01a22eea-2b39-7745-9d63-2fd11cf44cc4', 1, 'null', '2026-12-01 00:03:48.256993+00');
INSERT INTO public.processing_result VALUES ('01a22eea-6ff1-73cb-a2ae-1c97fd66a90f', 1, '{"by":"rate"}', '2026-12-01 00:04:05.777743+00');
INSERT INTO public.processing_result VALUES ('01a22eeb-3c1f-728a-9e45-b33e80d83bf1', 1, '{"by":"rate"}', '2026-12-01 00:04:58.046591+00');
INSERT INTO public.processing_result VALUES ('01a22eeb-5c66-703e-aefd-34326d0b17fe', 1, '{"n":1849263518273645211,"dec":1.1,"neg":0,"exp":1e+300,"text":"ünï   💥 \\u0000-not","empty":"","":[null,true,{}],"deep":[[[[[]]]]]}', '2026-12-01 00:05:06.305948+00');
INSERT INTO public.processing_result VALUES ('01a22eeb-620f-7641-b77e-ec1750689532', 1, '[]', '2026-12-01 00:05:07.766044+00');
INSERT INTO public.processing_result VALUES ('01a22eec-2c72-7710-91f5-f53459e7e72e', 1, '{"by":"rate"}', '2026-12-01 00:06:00.057965+00');
INSERT INTO public.processing_result VALUES ('01a22eeb-66ac-71d7-b9e7-fbf707e38a49', 1, 'null', '2026-12-01 00:06:49.142198+00');


--
-- Data for Name: registered_function; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.registered_function VALUES ('broken', '/app/functions:upgrade_cases', '/app/functions', 'upgrade_cases', '/app/functions/upgrade_cases.py', 13, '', 'default', 3600, 2, 512, 1, 300, 'rerun', '{}', 'null', false, false, NULL, true);
INSERT INTO public.registered_function VALUES ('echo', '/app/functions:upgrade_cases', '/app/functions', 'upgrade_cases', '/app/functions/upgrade_cases.py', 6, '', 'default', 3600, 3, 512, 1, 300, 'rerun', '{}', 'null', false, false, NULL, true);
INSERT INTO public.registered_function VALUES ('fetch_json', '/opt/localfn/functions:fetch_json', '/opt/localfn/functions', 'fetch_json', '/opt/localfn/functions/fetch_json.py', 50, 'Calls an HTTP API and returns its JSON: {"status", "headers", "json", "elapsed_ms", "url"}.

Another attempt follows after 5xx, 429, a timeout or a broken connection: when Retry-After says so, else
after a growing pause. Any other refusal, and an answer that is no JSON or is larger than max_bytes, fails
at once. A call other than GET carries an Idempotency-Key that stays the same over all attempts.', 'default', 90, 4, 256, 1, 300, 'rerun', '{}', '{"type":"object","required":["url"],"additionalProperties":false,"properties":{"url":{"type":"string","description":"http:// or https://"},"method":{"enum":["GET","POST","PUT","PATCH","DELETE"],"default":"GET"},"headers":{"type":"object","additionalProperties":{"type":"string"}},"body":{"description":"Any JSON; sent as application/json"},"timeout_s":{"type":"number","exclusiveMinimum":0,"maximum":60,"default":10},"max_bytes":{"type":"integer","minimum":1,"maximum":5242880,"default":1048576}}}', true, false, NULL, true);
INSERT INTO public.registered_function VALUES ('files', '/app/functions:upgrade_cases', '/app/functions', 'upgrade_cases', '/app/functions/upgrade_cases.py', 23, '', 'default', 3600, 1, 512, 2, 300, 'rerun', '{}', 'null', false, false, NULL, true);
INSERT INTO public.registered_function VALUES ('late', '/app/functions:upgrade_cases', '/app/functions', 'upgrade_cases', '/app/functions/upgrade_cases.py', 31, '', 'default', 1, 1, 512, 2, 300, 'rerun', '{}', 'null', false, false, NULL, true);
INSERT INTO public.registered_function VALUES ('profile_csv', '/opt/localfn/functions:profile_csv', '/opt/localfn/functions', 'profile_csv', '/opt/localfn/functions/profile_csv.py', 49, 'Profiles a CSV file: per column its kind, missing and distinct values, range, quantiles, top values.

Send the file as the upload `csv`, or its text as {"csv": "a,b\n1,2"}. Answers {"rows", "columns",
"encoding", "delimiter", "ragged_rows": {"short", "long"}}. columns, in the file''s order: {NAME: {"kind",
"missing", "distinct", "min", "max", "mean", "std", "quantiles": {"p05", "p25", "p50", "p75", "p95"},
"top": [{"value", "count"}]}}. Kinds: integer, number, boolean, date, datetime, text, empty; what a kind
does not have is null. A column with too many distinct values to count them all says "approximate": true.
Writes cleaned.csv and chart.svg.', 'default', 300, 2, 768, 2, 300, 'rerun', '{}', '{"type":"object","additionalProperties":false,"properties":{"csv":{"type":"string","description":"The CSV itself, in place of an upload named csv"},"delimiter":{"type":"string","minLength":1,"maxLength":1,"pattern":"[^\"\r\n]","description":"Default: whichever of comma, semicolon, tab and bar fits the first rows"},"encoding":{"type":"string","minLength":1,"description":"Default: the byte order mark''s, else utf-8, else latin-1"},"na_values":{"type":"array","items":{"type":"string"},"description":"Texts for a missing value, besides the usual ones (empty, NA, NaN, null, - …)"},"has_header":{"type":"boolean","default":true,"description":"false: name the columns column_1, column_2 …"}}}', true, false, NULL, true);
INSERT INTO public.registered_function VALUES ('slow', '/app/functions:upgrade_cases', '/app/functions', 'upgrade_cases', '/app/functions/upgrade_cases.py', 18, '', 'low', 3600, 1, 512, 2, 300, 'rerun', '{}', 'null', false, false, NULL, true);
INSERT INTO public.registered_function VALUES ('thumbnail', '/opt/localfn/functions:thumbnail', '/opt/localfn/functions', 'thumbnail', '/opt/localfn/functions/thumbnail.py', 46, 'Makes thumbnails of an image, sent as the upload `image` or as {"image_base64": "…"}.

Writes thumb-64.webp and so on; answers {"original": {"width", "height", "format"}, "thumbnails":
[{"name", "width", "height", "bytes"}]}. The picture is turned as its EXIF data says, and all sizes are
those of the turned one. Of an animation the first frame is taken. Transparency becomes white in JPEG.
EXIF data (places, dates) is left out.', 'default', 120, 2, 1024, 2, 300, 'rerun', '{}', '{"type":"object","additionalProperties":false,"properties":{"image_base64":{"type":"string","description":"The image file itself, in place of an upload named image"},"sizes":{"type":"array","items":{"type":"integer","minimum":1,"maximum":4096},"minItems":1,"maxItems":20,"default":[64,128,256],"description":"Length of the longer side in pixels; a smaller image is not enlarged"},"format":{"enum":["webp","png","jpeg"],"default":"webp"}}}', true, false, NULL, true);


--
-- Data for Name: request_attempt; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.request_attempt VALUES ('01a22ee9-6498-718e-be9c-f3179e433b51', 1, 'invalid', 'machine-45f6cd96', '2026-12-01 00:03:06.993131+00', '2026-12-01 00:03:08.337931+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:07.057856+00:00","finished_at":"2026-12-01T00:03:08.331640+00:00","duration_ms":1273.784,"outcome":"invalid","error":"$.delimiter: ''::'' is too long"},{"phase":"cleanup","started_at":"2026-12-01T00:03:08.331767+00:00","finished_at":"2026-12-01T00:03:08.331773+00:00","duration_ms":0.006,"outcome":"ok"}]', NULL, NULL, NULL, 'ValidationError', '$.delimiter: ''::'' is too long', NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-6ff1-73cb-a2ae-1c97fd66a90f', 1, 'completed', 'machine-73cad963', '2026-12-01 00:04:05.757499+00', '2026-12-01 00:04:05.777743+00', '[{"phase":"validate","started_at":"2026-12-01T00:04:05.767443+00:00","finished_at":"2026-12-01T00:04:05.773306+00:00","duration_ms":5.863,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:04:05.773326+00:00","finished_at":"2026-12-01T00:04:05.777634+00:00","duration_ms":4.308,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:04:05.777653+00:00","finished_at":"2026-12-01T00:04:05.777680+00:00","duration_ms":0.027,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:04:05.777691+00:00","finished_at":"2026-12-01T00:04:05.777694+00:00","duration_ms":0.003,"outcome":"ok"}]', false, NULL, 14.4, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22ee9-6497-76aa-8c72-074fb72fa658', 1, 'completed', 'machine-73cad963', '2026-12-01 00:03:06.972867+00', '2026-12-01 00:03:08.56599+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:07.013810+00:00","finished_at":"2026-12-01T00:03:08.494587+00:00","duration_ms":1480.777,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:08.494611+00:00","finished_at":"2026-12-01T00:03:08.494945+00:00","duration_ms":0.334,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:03:08.494966+00:00","finished_at":"2026-12-01T00:03:08.562941+00:00","duration_ms":67.975,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:03:08.563000+00:00","finished_at":"2026-12-01T00:03:08.563008+00:00","duration_ms":0.008,"outcome":"ok"}]', true, 236.5, 19.4, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-0bee-7616-9781-1d478968ee27', 1, 'failed', 'machine-45f6cd96', '2026-12-01 00:03:40.218741+00', '2026-12-01 00:03:40.314028+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:40.223951+00:00","finished_at":"2026-12-01T00:03:40.300635+00:00","duration_ms":76.684,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:40.300651+00:00","finished_at":"2026-12-01T00:03:40.313854+00:00","duration_ms":13.203,"outcome":"failed","error":"broken: ünï 💥 \u001b[31mred"},{"phase":"cleanup","started_at":"2026-12-01T00:03:40.314008+00:00","finished_at":"2026-12-01T00:03:40.314014+00:00","duration_ms":0.006,"outcome":"ok"}]', true, 76.1, 14.3, 'ValueError', 'broken: ünï 💥 [31mred', 'Traceback (most recent call last):
  File "/app/functions/upgrade_cases.py", line 15, in broken
    raise ValueError("broken: ünï 💥 \x1b[31mred")
ValueError: broken: ünï 💥 [31mred
');
INSERT INTO public.request_attempt VALUES ('01a22eea-0bee-7616-9781-1d478968ee27', 2, 'failed', 'machine-73cad963', '2026-12-01 00:03:41.431841+00', '2026-12-01 00:03:41.444501+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:41.434344+00:00","finished_at":"2026-12-01T00:03:41.443298+00:00","duration_ms":8.954,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:41.443316+00:00","finished_at":"2026-12-01T00:03:41.444359+00:00","duration_ms":1.043,"outcome":"failed","error":"broken: ünï 💥 \u001b[31mred"},{"phase":"cleanup","started_at":"2026-12-01T00:03:41.444487+00:00","finished_at":"2026-12-01T00:03:41.444491+00:00","duration_ms":0.004,"outcome":"ok"}]', false, NULL, 14.4, 'ValueError', 'broken: ünï 💥 [31mred', 'Traceback (most recent call last):
  File "/app/functions/upgrade_cases.py", line 15, in broken
    raise ValueError("broken: ünï 💥 \x1b[31mred")
ValueError: broken: ünï 💥 [31mred
');
INSERT INTO public.request_attempt VALUES ('01a22eea-3236-7449-8007-2819d282e69c', 1, 'cancelled', 'machine-73cad963', '2026-12-01 00:03:49.961453+00', '2026-12-01 00:03:55.112045+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:49.977078+00:00","finished_at":"2026-12-01T00:03:50.100431+00:00","duration_ms":123.353,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:50.100446+00:00","finished_at":"2026-12-01T00:03:55.111435+00:00","duration_ms":5010.989,"outcome":"cancelled","error":"The request was cancelled."},{"phase":"cleanup","started_at":"2026-12-01T00:03:55.111515+00:00","finished_at":"2026-12-01T00:03:55.111521+00:00","duration_ms":0.006,"outcome":"ok"}]', true, 122.7, NULL, 'Cancelled', 'The request was cancelled.', NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-11ba-712c-b3b7-f3df99e8c596', 1, 'timed_out', 'machine-45f6cd96', '2026-12-01 00:03:41.641527+00', '2026-12-01 00:03:42.990647+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:41.645741+00:00","finished_at":"2026-12-01T00:03:41.706919+00:00","duration_ms":61.178,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:41.706934+00:00","finished_at":"2026-12-01T00:03:42.990096+00:00","duration_ms":1283.162,"outcome":"timed_out","error":"It was killed after 1 s while running the function."},{"phase":"cleanup","started_at":"2026-12-01T00:03:42.990192+00:00","finished_at":"2026-12-01T00:03:42.990198+00:00","duration_ms":0.006,"outcome":"ok"}]', true, 60.7, NULL, 'TimedOut', 'It was killed after 1 s while running the function.', NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-196e-74db-bc70-e07b4bc12146', 1, 'completed', 'machine-73cad963', '2026-12-01 00:03:43.616937+00', '2026-12-01 00:03:43.658714+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:43.618910+00:00","finished_at":"2026-12-01T00:03:43.650023+00:00","duration_ms":31.113,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:43.650036+00:00","finished_at":"2026-12-01T00:03:43.652732+00:00","duration_ms":2.696,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:03:43.652759+00:00","finished_at":"2026-12-01T00:03:43.656408+00:00","duration_ms":3.649,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:03:43.656441+00:00","finished_at":"2026-12-01T00:03:43.656446+00:00","duration_ms":0.005,"outcome":"ok"}]', true, 30.3, 14.4, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-1f4e-717c-bd46-9177e1bc1089', 1, 'completed', 'machine-45f6cd96', '2026-12-01 00:03:45.166647+00', '2026-12-01 00:03:45.296415+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:45.176774+00:00","finished_at":"2026-12-01T00:03:45.210543+00:00","duration_ms":33.769,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:45.210575+00:00","finished_at":"2026-12-01T00:03:45.210914+00:00","duration_ms":0.339,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:03:45.210936+00:00","finished_at":"2026-12-01T00:03:45.272323+00:00","duration_ms":61.387,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:03:45.272379+00:00","finished_at":"2026-12-01T00:03:45.272385+00:00","duration_ms":0.006,"outcome":"ok"}]', false, NULL, 19.4, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-2b39-7745-9d63-2fd11cf44cc4', 1, 'completed', 'machine-73cad963', '2026-12-01 00:03:48.16648+00', '2026-12-01 00:03:48.256993+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:48.175230+00:00","finished_at":"2026-12-01T00:03:48.253845+00:00","duration_ms":78.615,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:48.253861+00:00","finished_at":"2026-12-01T00:03:48.256863+00:00","duration_ms":3.002,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:03:48.256887+00:00","finished_at":"2026-12-01T00:03:48.256919+00:00","duration_ms":0.032,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:03:48.256931+00:00","finished_at":"2026-12-01T00:03:48.256935+00:00","duration_ms":0.004,"outcome":"ok"}]', true, 78.1, 14.3, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-2d36-755e-9065-119e508ae391', 1, 'lost', 'machine-45f6cd96', '2026-12-01 00:03:48.699999+00', '2026-12-01 00:06:01.287385+00', '[{"phase":"validate","started_at":"2026-12-01T00:03:48.702375+00:00","finished_at":"2026-12-01T00:03:48.747199+00:00","duration_ms":44.824,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:03:48.747213+00:00"}]', true, 44.3, NULL, 'WorkerLost', 'The worker machine-45f6cd96 was lost: it did not extend its lease.', NULL);
INSERT INTO public.request_attempt VALUES ('01a22eeb-3c1f-728a-9e45-b33e80d83bf1', 1, 'completed', 'machine-73cad963', '2026-12-01 00:04:58.030589+00', '2026-12-01 00:04:58.046591+00', '[{"phase":"validate","started_at":"2026-12-01T00:04:58.033088+00:00","finished_at":"2026-12-01T00:04:58.045664+00:00","duration_ms":12.576,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:04:58.045682+00:00","finished_at":"2026-12-01T00:04:58.046476+00:00","duration_ms":0.794,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:04:58.046493+00:00","finished_at":"2026-12-01T00:04:58.046527+00:00","duration_ms":0.034,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:04:58.046538+00:00","finished_at":"2026-12-01T00:04:58.046541+00:00","duration_ms":0.003,"outcome":"ok"}]', false, NULL, 14.4, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eeb-5c66-703e-aefd-34326d0b17fe', 1, 'completed', 'machine-73cad963', '2026-12-01 00:05:06.297396+00', '2026-12-01 00:05:06.305948+00', '[{"phase":"validate","started_at":"2026-12-01T00:05:06.299604+00:00","finished_at":"2026-12-01T00:05:06.305031+00:00","duration_ms":5.427,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:05:06.305046+00:00","finished_at":"2026-12-01T00:05:06.305829+00:00","duration_ms":0.783,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:05:06.305845+00:00","finished_at":"2026-12-01T00:05:06.305887+00:00","duration_ms":0.042,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:05:06.305899+00:00","finished_at":"2026-12-01T00:05:06.305903+00:00","duration_ms":0.004,"outcome":"ok"}]', false, NULL, 14.4, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eeb-620f-7641-b77e-ec1750689532', 1, 'completed', 'machine-73cad963', '2026-12-01 00:05:07.757396+00', '2026-12-01 00:05:07.766044+00', '[{"phase":"validate","started_at":"2026-12-01T00:05:07.759620+00:00","finished_at":"2026-12-01T00:05:07.763649+00:00","duration_ms":4.029,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:05:07.763663+00:00","finished_at":"2026-12-01T00:05:07.765950+00:00","duration_ms":2.287,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:05:07.765967+00:00","finished_at":"2026-12-01T00:05:07.765989+00:00","duration_ms":0.022,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:05:07.765997+00:00","finished_at":"2026-12-01T00:05:07.766000+00:00","duration_ms":0.003,"outcome":"ok"}]', false, NULL, 14.4, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eec-2c72-7710-91f5-f53459e7e72e', 1, 'completed', 'machine-9734aece', '2026-12-01 00:05:59.97838+00', '2026-12-01 00:06:00.057965+00', '[{"phase":"validate","started_at":"2026-12-01T00:05:59.990006+00:00","finished_at":"2026-12-01T00:06:00.050455+00:00","duration_ms":60.449,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:06:00.050470+00:00","finished_at":"2026-12-01T00:06:00.057792+00:00","duration_ms":7.322,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:06:00.057828+00:00","finished_at":"2026-12-01T00:06:00.057872+00:00","duration_ms":0.044,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:06:00.057885+00:00","finished_at":"2026-12-01T00:06:00.057889+00:00","duration_ms":0.004,"outcome":"ok"}]', true, 59.7, 14.2, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eeb-66ac-71d7-b9e7-fbf707e38a49', 1, 'completed', 'machine-9734aece', '2026-12-01 00:06:48.983636+00', '2026-12-01 00:06:49.142198+00', '[{"phase":"validate","started_at":"2026-12-01T00:06:48.997376+00:00","finished_at":"2026-12-01T00:06:49.120536+00:00","duration_ms":123.16,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:06:49.120554+00:00","finished_at":"2026-12-01T00:06:49.141999+00:00","duration_ms":21.445,"outcome":"ok"},{"phase":"save","started_at":"2026-12-01T00:06:49.142040+00:00","finished_at":"2026-12-01T00:06:49.142107+00:00","duration_ms":0.067,"outcome":"ok"},{"phase":"cleanup","started_at":"2026-12-01T00:06:49.142125+00:00","finished_at":"2026-12-01T00:06:49.142129+00:00","duration_ms":0.004,"outcome":"ok"}]', true, 111.8, 14.2, NULL, NULL, NULL);
INSERT INTO public.request_attempt VALUES ('01a22eea-2d36-755e-9065-119e508ae391', 2, NULL, 'machine-f83ddfae', '2026-12-01 00:06:48.984263+00', NULL, '[{"phase":"validate","started_at":"2026-12-01T00:06:49.056539+00:00","finished_at":"2026-12-01T00:06:49.241936+00:00","duration_ms":185.397,"outcome":"ok"},{"phase":"process","started_at":"2026-12-01T00:06:49.241954+00:00"}]', true, 168, NULL, NULL, NULL, NULL);


--
-- Data for Name: request_log; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.request_log VALUES ('01a22ee9-6497-76aa-8c72-074fb72fa658', 1, 1, '2026-12-01 00:03:08.494649+00', 'stderr', 'INFO profile_csv: profiled 6 rows of 4 columns');
INSERT INTO public.request_log VALUES ('01a22eea-1f4e-717c-bd46-9177e1bc1089', 1, 1, '2026-12-01 00:03:45.210612+00', 'stderr', 'INFO profile_csv: profiled 1 row of 2 columns');
INSERT INTO public.request_log VALUES ('01a22eea-2b39-7745-9d63-2fd11cf44cc4', 1, 1, '2026-12-01 00:03:48.256734+00', 'stdout', 'printed ✓ line');
INSERT INTO public.request_log VALUES ('01a22eea-6ff1-73cb-a2ae-1c97fd66a90f', 1, 1, '2026-12-01 00:04:05.777531+00', 'stdout', 'printed ✓ line');
INSERT INTO public.request_log VALUES ('01a22eeb-3c1f-728a-9e45-b33e80d83bf1', 1, 1, '2026-12-01 00:04:58.046372+00', 'stdout', 'printed ✓ line');
INSERT INTO public.request_log VALUES ('01a22eeb-5c66-703e-aefd-34326d0b17fe', 1, 1, '2026-12-01 00:05:06.305732+00', 'stdout', 'printed ✓ line');
INSERT INTO public.request_log VALUES ('01a22eeb-620f-7641-b77e-ec1750689532', 1, 1, '2026-12-01 00:05:07.765849+00', 'stdout', 'printed ✓ line');
INSERT INTO public.request_log VALUES ('01a22eec-2c72-7710-91f5-f53459e7e72e', 1, 1, '2026-12-01 00:06:00.057428+00', 'stdout', 'printed ✓ line');


--
-- Data for Name: sandbox_note; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.sandbox_note VALUES ('machine:17137', '[{"id":"49281cc81bcb4c059c51519867be762c","pid":21138,"function":"slow","state":"busy","worker":"machine-45f6cd96","age_s":117.5,"memory_mb":14.3},{"id":"8094a9adbb2948009abd840b512b1e44","pid":17811,"function":"profile_csv","state":"idle","worker":null,"age_s":158.0,"memory_mb":19.5},{"id":"9366bea7530e47ac83c0ce58886b932e","pid":20897,"function":"broken","state":"idle","worker":null,"age_s":126.0,"memory_mb":14.4},{"id":"74800853fd6547619b611c0f9d745f9f","pid":20967,"function":"files","state":"idle","worker":null,"age_s":122.6,"memory_mb":14.4},{"id":"4ac1b9f2aa2e402dac943882d1cc8a14","pid":21131,"function":"echo","state":"idle","worker":null,"age_s":118.1,"memory_mb":14.4}]', '2026-12-01 00:05:46.844267+00');
INSERT INTO public.sandbox_note VALUES ('machine:23235', '[{"id":"51fd6565aeda4eb7aba39ea85a313205","pid":24023,"function":"slow","state":"busy","worker":"machine-f83ddfae","age_s":5.3,"memory_mb":14.2},{"id":"2f461ad665f142e9824bcf5a5bda2bdb","pid":23294,"function":"echo","state":"idle","worker":null,"age_s":54.4,"memory_mb":14.4},{"id":"75ba78d51ccc404da274f0a4917ae5a3","pid":24021,"function":"slow","state":"idle","worker":null,"age_s":5.4,"memory_mb":14.4}]', '2026-12-01 00:06:55.028256+00');


--
-- Data for Name: schedule; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.schedule VALUES ('example-nightly-profile', 'profile_csv', '{"csv":"species,island,body_mass_g\nAdelie,Torgersen,3750\nGentoo,Biscoe,5400\nChinstrap,Dream,3700\n"}', '0 3 * * *', 'UTC', false, NULL, NULL, NULL, 'once', 10, 'allow', NULL, 'An example, switched off. It profiles the CSV in its event; enable it, change it or delete it.', false, NULL, NULL, 0, NULL, NULL, '2026-12-01 00:02:57.339434+00', NULL);
INSERT INTO public.schedule VALUES ('berlin', 'echo', '{}', '30 2 * * SUN', 'Europe/Berlin', true, NULL, NULL, NULL, 'all', 60, 'skip', 'low', '', false, '2026-12-06 01:30:00+00', NULL, 0, NULL, NULL, '2026-12-01 00:04:00.142245+00', NULL);
INSERT INTO public.schedule VALUES ('aws-cron', 'profile_csv', '{}', 'cron(0 10 ? * MON-FRI *)', 'UTC', false, NULL, NULL, NULL, 'skip', 10, 'allow', NULL, '', false, NULL, NULL, 0, NULL, NULL, '2026-12-01 00:04:03.880311+00', NULL);
INSERT INTO public.schedule VALUES ('once-far', 'echo', '{}', 'at(2027-01-01T00:00:00)', 'UTC', true, NULL, '2030-01-01 00:00:00+00', 1, 'once', 10, 'allow', NULL, '', false, '2027-01-01 00:00:00+00', NULL, 0, NULL, NULL, '2026-12-01 00:05:09.472333+00', NULL);
INSERT INTO public.schedule VALUES ('every-minute', 'echo', '{"by":"rate"}', 'rate(1 minute)', 'UTC', true, NULL, NULL, NULL, 'once', 10, 'allow', NULL, 'ünï 💥', false, '2026-12-01 00:06:58+00', '2026-12-01 00:05:59.505599+00', 3, '01a22eec-2c72-7710-91f5-f53459e7e72e', NULL, '2026-12-01 00:03:58.355943+00', NULL);


--
-- Data for Name: schedule_tick; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.schedule_tick VALUES ('every-minute', '2026-12-01 00:04:58+00', 'fired', '01a22eeb-3c1f-728a-9e45-b33e80d83bf1', '2026-12-01 00:04:58.004067+00');
INSERT INTO public.schedule_tick VALUES ('every-minute', '2026-12-01 00:05:58+00', 'fired', '01a22eec-2c72-7710-91f5-f53459e7e72e', '2026-12-01 00:05:59.505599+00');


--
-- Data for Name: setup_flag; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.setup_flag VALUES ('request/demo-penguins', true, '2026-12-01 00:02:57.320029+00');
INSERT INTO public.setup_flag VALUES ('request/demo-refused', true, '2026-12-01 00:02:57.330122+00');
INSERT INTO public.setup_flag VALUES ('fixtures', true, '2026-12-01 00:02:57.365829+00');


--
-- Data for Name: tally_mark; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tally_mark VALUES (true, '2026-12-01 00:06:00+00');


--
-- Data for Name: worker; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.worker VALUES ('machine-9734aece', 'machine', 23284, 'high,default,low', '2026-12-01 00:05:59.924367+00', '2026-12-01 00:06:52.068007+00');
INSERT INTO public.worker VALUES ('machine-f83ddfae', 'machine', 23286, 'high,default,low', '2026-12-01 00:05:59.937819+00', '2026-12-01 00:06:52.095571+00');
INSERT INTO public.worker VALUES ('machine-45f6cd96', 'machine', 17779, 'high,default,low', '2026-12-01 00:03:06.886485+00', '2026-12-01 00:05:47.074449+00');


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: api_key pk_api_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT pk_api_key PRIMARY KEY (id);


--
-- Name: app_user pk_app_user; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_user
    ADD CONSTRAINT pk_app_user PRIMARY KEY (username);


--
-- Name: audit_entry pk_audit_entry; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_entry
    ADD CONSTRAINT pk_audit_entry PRIMARY KEY (id);


--
-- Name: depth_sample pk_depth_sample; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.depth_sample
    ADD CONSTRAINT pk_depth_sample PRIMARY KEY (minute, queue);


--
-- Name: discovered_unit pk_discovered_unit; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.discovered_unit
    ADD CONSTRAINT pk_discovered_unit PRIMARY KEY (unit);


--
-- Name: idempotency_key pk_idempotency_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT pk_idempotency_key PRIMARY KEY (function, key);


--
-- Name: import_failure pk_import_failure; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.import_failure
    ADD CONSTRAINT pk_import_failure PRIMARY KEY (unit);


--
-- Name: input_file pk_input_file; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.input_file
    ADD CONSTRAINT pk_input_file PRIMARY KEY (request_id, name);


--
-- Name: login_failure pk_login_failure; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.login_failure
    ADD CONSTRAINT pk_login_failure PRIMARY KEY (subject);


--
-- Name: login_session pk_login_session; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.login_session
    ADD CONSTRAINT pk_login_session PRIMARY KEY (token_hash);


--
-- Name: metric_total pk_metric_total; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.metric_total
    ADD CONSTRAINT pk_metric_total PRIMARY KEY (name, labels);


--
-- Name: minute_tally pk_minute_tally; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.minute_tally
    ADD CONSTRAINT pk_minute_tally PRIMARY KEY (minute, function);


--
-- Name: output_file pk_output_file; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.output_file
    ADD CONSTRAINT pk_output_file PRIMARY KEY (request_id, name);


--
-- Name: paused_queue pk_paused_queue; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.paused_queue
    ADD CONSTRAINT pk_paused_queue PRIMARY KEY (name);


--
-- Name: processing_request pk_processing_request; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.processing_request
    ADD CONSTRAINT pk_processing_request PRIMARY KEY (id);


--
-- Name: processing_result pk_processing_result; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.processing_result
    ADD CONSTRAINT pk_processing_result PRIMARY KEY (request_id);


--
-- Name: registered_function pk_registered_function; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.registered_function
    ADD CONSTRAINT pk_registered_function PRIMARY KEY (name);


--
-- Name: request_attempt pk_request_attempt; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.request_attempt
    ADD CONSTRAINT pk_request_attempt PRIMARY KEY (request_id, number);


--
-- Name: request_log pk_request_log; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.request_log
    ADD CONSTRAINT pk_request_log PRIMARY KEY (request_id, attempt, number);


--
-- Name: sandbox_note pk_sandbox_note; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sandbox_note
    ADD CONSTRAINT pk_sandbox_note PRIMARY KEY (pool);


--
-- Name: schedule pk_schedule; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT pk_schedule PRIMARY KEY (name);


--
-- Name: schedule_tick pk_schedule_tick; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schedule_tick
    ADD CONSTRAINT pk_schedule_tick PRIMARY KEY (schedule, scheduled_for);


--
-- Name: setup_flag pk_setup_flag; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.setup_flag
    ADD CONSTRAINT pk_setup_flag PRIMARY KEY (name);


--
-- Name: tally_mark pk_tally_mark; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tally_mark
    ADD CONSTRAINT pk_tally_mark PRIMARY KEY (single);


--
-- Name: worker pk_worker; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.worker
    ADD CONSTRAINT pk_worker PRIMARY KEY (name);


--
-- Name: api_key uq_api_key_key_hash; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT uq_api_key_key_hash UNIQUE (key_hash);


--
-- Name: api_key uq_api_key_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT uq_api_key_name UNIQUE (name);


--
-- Name: ix_audit_entry_action_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_audit_entry_action_id ON public.audit_entry USING btree (action, id);


--
-- Name: ix_audit_entry_actor_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_audit_entry_actor_id ON public.audit_entry USING btree (actor, id);


--
-- Name: ix_audit_entry_subject_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_audit_entry_subject_id ON public.audit_entry USING btree (subject, id);


--
-- Name: ix_idempotency_key_request_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_idempotency_key_request_id ON public.idempotency_key USING btree (request_id);


--
-- Name: ix_login_failure_last_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_login_failure_last_at ON public.login_failure USING btree (last_at);


--
-- Name: ix_login_session_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_login_session_expires_at ON public.login_session USING btree (expires_at);


--
-- Name: ix_login_session_username; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_login_session_username ON public.login_session USING btree (username);


--
-- Name: ix_processing_request_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_processing_request_due ON public.processing_request USING btree (queue, rung_at, available_at) WHERE (status = 'pending'::text);


--
-- Name: ix_processing_request_finished_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_processing_request_finished_at ON public.processing_request USING btree (finished_at) WHERE (finished_at IS NOT NULL);


--
-- Name: ix_processing_request_function_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_processing_request_function_id ON public.processing_request USING btree (function, id);


--
-- Name: ix_processing_request_lease; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_processing_request_lease ON public.processing_request USING btree (lease_expires_at) WHERE (status = 'processing'::text);


--
-- Name: ix_processing_request_schedule_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_processing_request_schedule_id ON public.processing_request USING btree (schedule, id) WHERE (schedule IS NOT NULL);


--
-- Name: ix_processing_request_status_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_processing_request_status_id ON public.processing_request USING btree (status, id);


--
-- Name: ix_registered_function_unit; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_registered_function_unit ON public.registered_function USING btree (unit);


--
-- Name: ix_schedule_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_schedule_due ON public.schedule USING btree (next_run_at) WHERE enabled;


--
-- Name: ix_schedule_edited; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_schedule_edited ON public.schedule USING btree (edited_at) WHERE (edited_at IS NOT NULL);


--
-- Name: ix_schedule_tick_scheduled_for; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_schedule_tick_scheduled_for ON public.schedule_tick USING btree (scheduled_for);


--
-- Name: ix_worker_seen_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_worker_seen_at ON public.worker USING btree (seen_at);


--
-- Name: uq_app_user_username_folded; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX uq_app_user_username_folded ON public.app_user USING btree (lower(username));


--
-- Name: schedule note_schedule_edit; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_schedule_edit BEFORE UPDATE OF function, expression, timezone, enabled, start_at, end_at, max_runs ON public.schedule FOR EACH ROW WHEN ((((((((old.function IS DISTINCT FROM new.function) OR (old.expression IS DISTINCT FROM new.expression)) OR (old.timezone IS DISTINCT FROM new.timezone)) OR (old.enabled IS DISTINCT FROM new.enabled)) OR (old.start_at IS DISTINCT FROM new.start_at)) OR (old.end_at IS DISTINCT FROM new.end_at)) OR (old.max_runs IS DISTINCT FROM new.max_runs))) EXECUTE FUNCTION public.note_schedule_edit();


--
-- Name: schedule note_schedule_rewind; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_schedule_rewind BEFORE INSERT OR UPDATE OF next_run_at ON public.schedule FOR EACH ROW WHEN ((new.next_run_at <= clock_timestamp())) EXECUTE FUNCTION public.note_schedule_rewind();


--
-- Name: idempotency_key fk_idempotency_key_request_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT fk_idempotency_key_request_id FOREIGN KEY (request_id) REFERENCES public.processing_request(id) ON DELETE CASCADE;


--
-- Name: input_file fk_input_file_request_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.input_file
    ADD CONSTRAINT fk_input_file_request_id FOREIGN KEY (request_id) REFERENCES public.processing_request(id) ON DELETE CASCADE;


--
-- Name: login_session fk_login_session_username; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.login_session
    ADD CONSTRAINT fk_login_session_username FOREIGN KEY (username) REFERENCES public.app_user(username) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- Name: output_file fk_output_file_request_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.output_file
    ADD CONSTRAINT fk_output_file_request_id FOREIGN KEY (request_id) REFERENCES public.processing_request(id) ON DELETE CASCADE;


--
-- Name: processing_result fk_processing_result_request_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.processing_result
    ADD CONSTRAINT fk_processing_result_request_id FOREIGN KEY (request_id) REFERENCES public.processing_request(id) ON DELETE CASCADE;


--
-- Name: request_attempt fk_request_attempt_request_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.request_attempt
    ADD CONSTRAINT fk_request_attempt_request_id FOREIGN KEY (request_id) REFERENCES public.processing_request(id) ON DELETE CASCADE;


--
-- Name: request_log fk_request_log_request_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.request_log
    ADD CONSTRAINT fk_request_log_request_id FOREIGN KEY (request_id) REFERENCES public.processing_request(id) ON DELETE CASCADE;


--
-- Name: schedule_tick fk_schedule_tick_schedule; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schedule_tick
    ADD CONSTRAINT fk_schedule_tick_schedule FOREIGN KEY (schedule) REFERENCES public.schedule(name) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--



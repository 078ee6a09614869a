-- The journal on Postgres. The text of an event is kept byte for byte, since its hash is of these bytes.

CREATE TABLE journal (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    at bigint NOT NULL CHECK (at >= 0),
    prev bytea NOT NULL CHECK (length(prev) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    kind text NOT NULL,
    variant text,
    body text NOT NULL,
    -- jsonb has no character zero; in JSON's text it can only stand as this escape.
    CONSTRAINT kind_is_that_of_the_event CHECK (replace(body, '\u0000', '\ufffd')::jsonb ->> 'event' = kind)
);
CREATE INDEX journal_by_variant ON journal (variant, seq) WHERE variant IS NOT NULL;
CREATE INDEX journal_by_kind ON journal (kind, seq);

CREATE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'insufficient_privilege'; END $$;
CREATE TRIGGER journal_is_not_changed BEFORE UPDATE OR DELETE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only();
CREATE TRIGGER journal_is_not_truncated BEFORE TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only();

CREATE FUNCTION journal_is_one_chain() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NEW.seq = 1 THEN
        IF NEW.prev = decode(repeat('00', 32), 'hex') THEN RETURN NEW; END IF;
    ELSIF EXISTS (SELECT FROM journal WHERE seq = NEW.seq - 1 AND hash = NEW.prev) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'event % is not bound to the one before it', NEW.seq USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER journal_is_bound BEFORE INSERT ON journal
    FOR EACH ROW EXECUTE FUNCTION journal_is_one_chain();

-- Also where a session says that it replicates, which otherwise turns triggers off.
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_is_not_changed;
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_is_not_truncated;
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_is_bound;

-- +goose Up
-- An entry of the audit trail may stand for several operations. Actors and targets are compared in any case.
ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE audit ADD COLUMN actor_folded TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN target_folded TEXT NOT NULL DEFAULT '';
UPDATE audit SET actor_folded = lower(actor), target_folded = lower(target);
DROP INDEX audit_actor;
DROP INDEX audit_target;
CREATE INDEX audit_actor_folded ON audit (actor_folded, id);
CREATE INDEX audit_target_folded ON audit (target_folded, id);

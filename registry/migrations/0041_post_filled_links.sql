-- Ranges that an older program wrote: their filled links begin with anything, until the range is written again.

INSERT INTO range_edge (prefix_id, characters, relation, public, suffix, target)
SELECT r.prefix_id, r.characters, said.relation, true, r.suffix, '{'
FROM handle_range AS r
CROSS JOIN (VALUES (1::smallint, 'PART_OF'), (2, 'MADE_FROM'), (3, 'PACKED_IN'), (4, 'ON_MACHINE')) AS said (relation, type)
WHERE position(convert_to(said.type, 'UTF8') IN r.packed) > 0
      AND (position('{position}'::bytea IN r.packed) > 0 OR position('{serial}'::bytea IN r.packed) > 0
           OR position('{suffix}'::bytea IN r.packed) > 0)
      AND NOT EXISTS (
        SELECT FROM range_edge AS e
        WHERE e.prefix_id = r.prefix_id AND e.characters = r.characters AND e.suffix = r.suffix
              AND e.relation = said.relation AND right(e.target, 1) = '{')
ON CONFLICT DO NOTHING;

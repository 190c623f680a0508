-- Links that a range fills in for each member are kept by what their targets begin with, so that they are found from there.

CREATE INDEX range_edge_filled ON range_edge (length(target), relation) WHERE right(target, 1) = '{';
COMMENT ON TABLE range_edge IS 'Links of ranges: one row for each that all members say which have no rows of their own, or that is filled in for each.';
COMMENT ON COLUMN range_edge.target IS 'Key of the other handle, with its prefix; it may be unknown here. Of a link that is filled in what all begin with, and {.';

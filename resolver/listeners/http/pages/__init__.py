"""The pages that people see, whole without a script or any request to elsewhere. Read `layout` first, then `record`."""

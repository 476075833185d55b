"""What callers see: the shapes of answers, made from records; one file per resource."""

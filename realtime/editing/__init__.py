"""Who is editing an object: the marks, for forms and for viewsets."""

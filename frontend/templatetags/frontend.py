"""What the templates of this application need to know."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def debug_mode() -> bool:
    """Whether this is a developer's own machine, where demo passwords may be shown."""
    return bool(settings.DEBUG)

"""The option with which a command that writes takes consent for production."""

import click

confirm_option = click.option(
    "--confirm",
    metavar="REF",
    help="Consent to write to production: the project's ref. Else SUPABASE_CONFIRM, or typed.",
)

"""The engine's log within az's: --verbose, --debug and --only-show-errors hold for it too."""


def log_with_az():
    import logging

    from knack.log import get_logger

    logging.getLogger("aks_noninteractive").parent = get_logger()
    logging.getLogger("urllib3.connection").addFilter(_quotes_no_server)


def _quotes_no_server(record):
    """Whether a record of urllib3 does not quote what a server sent in place of headers.

    That may be what the server was sent, a password for instance.
    """
    return not str(record.msg).startswith("Failed to parse headers")

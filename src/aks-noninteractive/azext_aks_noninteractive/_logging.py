"""The engine's log within az's: --verbose, --debug and --only-show-errors hold for it too."""


def log_with_az():
    import logging

    from knack.log import get_logger

    logging.getLogger("aks_noninteractive").parent = get_logger()

"""The machinery of HTTP: endpoints, authentication, problems, waiting for jobs. The routes stand one floor up."""

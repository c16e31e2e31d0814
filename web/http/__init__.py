"""What all routes use: endpoints, authentication, problems, lists, waiting for jobs."""

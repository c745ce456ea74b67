"""The hub of the tests; what a real one needs of it is in the instructor's guide."""

import os

c = get_config()  # noqa: F821

public, internal, proxy = (f"http://127.0.0.1:{port}" for port in os.environ["HUB_PORTS"].split())
c.JupyterHub.bind_url, c.JupyterHub.hub_bind_url, c.ConfigurableHTTPProxy.api_url = public, internal, proxy
c.ConfigurableHTTPProxy.auth_token = os.urandom(16).hex()

# Users of the system, with their passwords.
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allowed_users = {"ada", "ben", "teacher"}

c.Spawner.default_url = "/lab"
c.Spawner.environment = {
    "FMNIST_DATA": "/srv/fashion-mnist",
    "OMP_NUM_THREADS": "1",
    "FMNIST_SOURCE": "standin",
}
c.Spawner.args = ["--LabApp.expose_app_in_browser=True"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 120


def keep_to_themselves(spawner):
    """Make what all but Ada write readable for nobody else, as many systems do."""
    if spawner.user.name != "ada":
        spawner.cmd = ["sh", "-c", 'umask 077; exec jupyterhub-singleuser "$@"', "--"]


c.Spawner.pre_spawn_hook = keep_to_themselves

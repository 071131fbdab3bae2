"""Graphs that compute the same faster: one file a rewrite."""

from inceptions.deploy.rewrites.done import Done as Done
from inceptions.deploy.rewrites.drop_unread import only_heads as only_heads
from inceptions.deploy.rewrites.policy import ALL as ALL
from inceptions.deploy.rewrites.policy import chosen as chosen
from inceptions.deploy.rewrites.policy import rewrite as rewrite

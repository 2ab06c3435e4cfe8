# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As modules for key-value stores work: on the host, a request to look and one to write."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

module = AnsibleModule(argument_spec={"url": {"type": "str"}})
for _time in range(2):
    open_url(module.params["url"], validate_certs=False).read()
module.exit_json(changed=False)

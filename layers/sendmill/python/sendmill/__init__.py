"""Send bulk e-mail campaigns and run background tasks on AWS, each recipient accounted for.

Modules are layers, each importing only from those below it (tests/infra/test_imports.py):
errors < campaign contact outcome roles < plain_text template message mail contact_list seen
contact_file ledger progress rate < delivery dispatch lifecycle event feedback sweep suppression
unsubscribe importing import_run contact_book erasure stored_template preflight advice drafts
timeline reputation < wire store queue dead_letters backlog secret timer provider template_trial <
aws settings observe batch < tasks < contrib < cli < the functions.
"""

__version__ = "0.1.0"

# What the account of govcloud needs beyond terraform/env/govcloud.tfvars, which gives region, partition and
# accounts. Its provider and roles are its own: no role reaches over to another partition.
# github = { repository = "your-organisation/sendmill" }
# code_signing = true

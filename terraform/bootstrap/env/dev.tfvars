# What the account of dev needs beyond terraform/env/dev.tfvars, which gives region, partition and accounts.
# github = { repository = "your-organisation/sendmill" }
# code_signing = true

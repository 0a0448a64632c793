# What the account of prod needs beyond terraform/env/prod.tfvars, which gives region, partition and accounts.
# github = { repository = "your-organisation/sendmill" }
# code_signing = true

package reports

default allow := false

# People read their own reports.
allow if input.parsed_path == ["reports", input.principal.subject]

# Auditors read all of them.
allow if "auditor" in input.principal.roles

package main

import (
	"github.com/spf13/cobra"

	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

// completeFiles offers YAML files and folders.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeNames offers the names of the playbooks that the configuration loads.
func (sh *shell) completeNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cfg, err := loadConfig(sh.config)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	all, err := sources(cfg)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	set, _ := playbook.Load(all, action.Specs())
	if set == nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, p := range set.Playbooks {
		names = append(names, p.Name+"\t"+p.Summary)
	}
	return names, cobra.ShellCompDirectiveDefault // a path may be meant too
}

package playbook

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/services/playbook/document"
	"firebreak/services/playbook/near"
)

// Technique is a technique of MITRE ATT&CK that a playbook can name.
type Technique struct {
	ID      string
	Name    string
	Tactics []string // as ATT&CK writes them: initial-access, execution, …
}

// Tactics of ATT&CK.
const (
	initialAccess = "initial-access"
	execution     = "execution"
	persistence   = "persistence"
	escalation    = "privilege-escalation"
	stealth       = "stealth"
	impairment    = "defense-impairment"
	accounts      = "credential-access"
	discovery     = "discovery"
	lateral       = "lateral-movement"
	collection    = "collection"
	control       = "command-and-control"
	exfiltration  = "exfiltration"
	impact        = "impact"
)

// Techniques lists the techniques of ATT&CK 19 for containers, and those for
// Linux that events of a container platform can show. Their order is that of
// the tactics.
func Techniques() []Technique {
	return []Technique{
		{"T1190", "Exploit Public-Facing Application", []string{initialAccess}},
		{"T1133", "External Remote Services", []string{initialAccess, persistence}},
		{"T1195", "Supply Chain Compromise", []string{initialAccess}},
		{"T1195.001", "Compromise Software Dependencies and Development Tools", []string{initialAccess}},
		{"T1195.002", "Compromise Software Supply Chain", []string{initialAccess}},
		{"T1199", "Trusted Relationship", []string{initialAccess}},
		{"T1078", "Valid Accounts", []string{initialAccess, persistence, escalation, stealth}},
		{"T1078.001", "Default Accounts", []string{initialAccess, persistence, escalation, stealth}},
		{"T1078.003", "Local Accounts", []string{initialAccess, persistence, escalation, stealth}},
		{"T1078.004", "Cloud Accounts", []string{initialAccess, persistence, escalation, stealth}},
		{"T1059", "Command and Scripting Interpreter", []string{execution}},
		{"T1059.004", "Unix Shell", []string{execution}},
		{"T1059.006", "Python", []string{execution}},
		{"T1059.013", "Container CLI/API", []string{execution}},
		{"T1072", "Software Deployment Tools", []string{execution, lateral}},
		{"T1106", "Native API", []string{execution}},
		{"T1129", "Shared Modules", []string{execution}},
		{"T1203", "Exploitation for Client Execution", []string{execution}},
		{"T1204", "User Execution", []string{execution}},
		{"T1204.003", "Malicious Image", []string{execution}},
		{"T1609", "Container Administration Command", []string{execution}},
		{"T1610", "Deploy Container", []string{execution}},
		{"T1053", "Scheduled Task/Job", []string{execution, persistence, escalation}},
		{"T1053.002", "At", []string{execution, persistence, escalation}},
		{"T1053.003", "Cron", []string{execution, persistence, escalation}},
		{"T1053.006", "Systemd Timers", []string{execution, persistence, escalation}},
		{"T1053.007", "Container Orchestration Job", []string{execution, persistence, escalation}},
		{"T1037", "Boot or Logon Initialization Scripts", []string{persistence, escalation}},
		{"T1037.004", "RC Scripts", []string{persistence, escalation}},
		{"T1098", "Account Manipulation", []string{persistence, escalation}},
		{"T1098.004", "SSH Authorized Keys", []string{persistence, escalation}},
		{"T1098.006", "Additional Container Cluster Roles", []string{persistence, escalation}},
		{"T1136", "Create Account", []string{persistence}},
		{"T1136.001", "Local Account", []string{persistence}},
		{"T1205", "Traffic Signaling", []string{persistence, stealth, control}},
		{"T1505", "Server Software Component", []string{persistence}},
		{"T1505.003", "Web Shell", []string{persistence}},
		{"T1525", "Implant Internal Image", []string{persistence}},
		{"T1543", "Create or Modify System Process", []string{persistence, escalation}},
		{"T1543.002", "Systemd Service", []string{persistence, escalation}},
		{"T1543.005", "Container Service", []string{persistence, escalation}},
		{"T1546", "Event Triggered Execution", []string{persistence, escalation}},
		{"T1546.004", "Unix Shell Configuration Modification", []string{persistence, escalation}},
		{"T1547", "Boot or Logon Autostart Execution", []string{persistence, escalation}},
		{"T1547.006", "Kernel Modules and Extensions", []string{persistence, escalation}},
		{"T1556", "Modify Authentication Process", []string{persistence, impairment, accounts}},
		{"T1556.003", "Pluggable Authentication Modules", []string{persistence, impairment, accounts}},
		{"T1574", "Hijack Execution Flow", []string{execution, persistence, escalation, stealth}},
		{"T1574.006", "Dynamic Linker Hijacking", []string{execution, persistence, escalation, stealth}},
		{"T1055", "Process Injection", []string{escalation, stealth}},
		{"T1055.008", "Ptrace System Calls", []string{escalation, stealth}},
		{"T1055.009", "Proc Memory", []string{escalation, stealth}},
		{"T1068", "Exploitation for Privilege Escalation", []string{escalation}},
		{"T1548", "Abuse Elevation Control Mechanism", []string{escalation}},
		{"T1548.001", "Setuid and Setgid", []string{escalation}},
		{"T1548.003", "Sudo and Sudo Caching", []string{escalation}},
		{"T1611", "Escape to Host", []string{escalation}},
		{"T1014", "Rootkit", []string{stealth}},
		{"T1027", "Obfuscated Files or Information", []string{stealth}},
		{"T1027.002", "Software Packing", []string{stealth}},
		{"T1036", "Masquerading", []string{stealth}},
		{"T1036.003", "Rename Legitimate Utilities", []string{stealth}},
		{"T1036.004", "Masquerade Task or Service", []string{stealth}},
		{"T1036.005", "Match Legitimate Resource Name or Location", []string{stealth}},
		{"T1036.010", "Masquerade Account Name", []string{stealth}},
		{"T1036.011", "Overwrite Process Arguments", []string{stealth}},
		{"T1070", "Indicator Removal", []string{stealth}},
		{"T1070.003", "Clear Command History", []string{stealth}},
		{"T1070.004", "File Deletion", []string{stealth}},
		{"T1070.006", "Timestomp", []string{stealth}},
		{"T1140", "Deobfuscate/Decode Files or Information", []string{stealth}},
		{"T1222", "File and Directory Permissions Modification", []string{impairment}},
		{"T1222.002", "Linux and Mac File and Directory Permissions Modification", []string{impairment}},
		{"T1550", "Use Alternate Authentication Material", []string{lateral}},
		{"T1550.001", "Application Access Token", []string{lateral}},
		{"T1564", "Hide Artifacts", []string{stealth}},
		{"T1564.001", "Hidden Files and Directories", []string{stealth}},
		{"T1612", "Build Image on Host", []string{stealth}},
		{"T1620", "Reflective Code Loading", []string{stealth}},
		{"T1685", "Disable or Modify Tools", []string{impairment}},
		{"T1685.002", "Disable or Modify Cloud Log", []string{impairment}},
		{"T1685.004", "Disable or Modify Linux Audit System Log", []string{impairment}},
		{"T1685.006", "Clear Linux or Mac System Logs", []string{impairment}},
		{"T1686", "Disable or Modify System Firewall", []string{impairment}},
		{"T1687", "Exploitation for Defense Impairment", []string{impairment}},
		{"T1690", "Prevent Command History Logging", []string{impairment}},
		{"T1003", "OS Credential Dumping", []string{accounts}},
		{"T1003.007", "Proc Filesystem", []string{accounts}},
		{"T1003.008", "/etc/passwd and /etc/shadow", []string{accounts}},
		{"T1040", "Network Sniffing", []string{accounts, discovery}},
		{"T1110", "Brute Force", []string{accounts}},
		{"T1110.001", "Password Guessing", []string{accounts}},
		{"T1110.003", "Password Spraying", []string{accounts}},
		{"T1110.004", "Credential Stuffing", []string{accounts}},
		{"T1212", "Exploitation for Credential Access", []string{accounts}},
		{"T1528", "Steal Application Access Token", []string{accounts}},
		{"T1552", "Unsecured Credentials", []string{accounts}},
		{"T1552.001", "Credentials In Files", []string{accounts}},
		{"T1552.003", "Shell History", []string{accounts}},
		{"T1552.004", "Private Keys", []string{accounts}},
		{"T1552.005", "Cloud Instance Metadata API", []string{accounts}},
		{"T1552.007", "Container API", []string{accounts}},
		{"T1557", "Adversary-in-the-Middle", []string{accounts, collection}},
		{"T1606", "Forge Web Credentials", []string{accounts}},
		{"T1016", "System Network Configuration Discovery", []string{discovery}},
		{"T1018", "Remote System Discovery", []string{discovery}},
		{"T1033", "System Owner/User Discovery", []string{discovery}},
		{"T1046", "Network Service Discovery", []string{discovery}},
		{"T1049", "System Network Connections Discovery", []string{discovery}},
		{"T1057", "Process Discovery", []string{discovery}},
		{"T1069", "Permission Groups Discovery", []string{discovery}},
		{"T1082", "System Information Discovery", []string{discovery}},
		{"T1083", "File and Directory Discovery", []string{discovery}},
		{"T1087", "Account Discovery", []string{discovery}},
		{"T1518", "Software Discovery", []string{discovery}},
		{"T1526", "Cloud Service Discovery", []string{discovery}},
		{"T1538", "Cloud Service Dashboard", []string{discovery}},
		{"T1613", "Container and Resource Discovery", []string{discovery}},
		{"T1680", "Local Storage Discovery", []string{discovery}},
		{"T1021", "Remote Services", []string{lateral}},
		{"T1021.004", "SSH", []string{lateral}},
		{"T1210", "Exploitation of Remote Services", []string{lateral}},
		{"T1570", "Lateral Tool Transfer", []string{lateral}},
		{"T1005", "Data from Local System", []string{collection}},
		{"T1074", "Data Staged", []string{collection}},
		{"T1119", "Automated Collection", []string{collection}},
		{"T1530", "Data from Cloud Storage", []string{collection}},
		{"T1560", "Archive Collected Data", []string{collection}},
		{"T1071", "Application Layer Protocol", []string{control}},
		{"T1071.001", "Web Protocols", []string{control}},
		{"T1071.004", "DNS", []string{control}},
		{"T1090", "Proxy", []string{control}},
		{"T1095", "Non-Application Layer Protocol", []string{control}},
		{"T1102", "Web Service", []string{control}},
		{"T1105", "Ingress Tool Transfer", []string{control}},
		{"T1219", "Remote Access Tools", []string{control}},
		{"T1571", "Non-Standard Port", []string{control}},
		{"T1572", "Protocol Tunneling", []string{control}},
		{"T1573", "Encrypted Channel", []string{control}},
		{"T1041", "Exfiltration Over C2 Channel", []string{exfiltration}},
		{"T1048", "Exfiltration Over Alternative Protocol", []string{exfiltration}},
		{"T1567", "Exfiltration Over Web Service", []string{exfiltration}},
		{"T1485", "Data Destruction", []string{impact}},
		{"T1486", "Data Encrypted for Impact", []string{impact}},
		{"T1489", "Service Stop", []string{impact}},
		{"T1490", "Inhibit System Recovery", []string{impact}},
		{"T1491", "Defacement", []string{impact}},
		{"T1496", "Resource Hijacking", []string{impact}},
		{"T1496.001", "Compute Hijacking", []string{impact}},
		{"T1496.002", "Bandwidth Hijacking", []string{impact}},
		{"T1498", "Network Denial of Service", []string{impact}},
		{"T1499", "Endpoint Denial of Service", []string{impact}},
		{"T1499.001", "OS Exhaustion Flood", []string{impact}},
		{"T1499.002", "Service Exhaustion Flood", []string{impact}},
		{"T1499.003", "Application Exhaustion Flood", []string{impact}},
		{"T1499.004", "Application or System Exploitation", []string{impact}},
		{"T1529", "System Shutdown/Reboot", []string{impact}},
		{"T1531", "Account Access Removal", []string{impact}},
		{"T1565", "Data Manipulation", []string{impact}},
	}
}

// revoked are ids that older versions of ATT&CK had, with those that replace them.
func revoked() map[string]string {
	return map[string]string{
		"T1562": "T1685", "T1562.001": "T1685", "T1562.003": "T1690", "T1562.004": "T1686",
		"T1562.006": "T1685", "T1562.008": "T1685.002", "T1562.012": "T1685.004", "T1070.002": "T1685.006",
	}
}

// attack checks the ATT&CK techniques: the form strictly, the id as far as the
// list goes, since others of ATT&CK's are no mistake.
func (c *check) attack(p *Playbook) {
	known := Techniques()
	for _, t := range c.doc.Metadata.Attack {
		switch {
		case t.Value == "":
			continue // its absence was reported
		case !attackForm.MatchString(t.Value):
			c.errorf(t.At, "write it as T1496 or T1496.001", "%q is no ATT&CK technique", t.Value)
		case slices.Contains(p.Attack, t.Value):
			c.errorf(t.At, "keep one of them", "the technique %s is named twice", t.Value)
			continue
		case !slices.ContainsFunc(known, func(k Technique) bool { return k.ID == t.Value }):
			c.unknownTechnique(t, known)
		}
		p.Attack = append(p.Attack, t.Value)
	}
}

func (c *check) unknownTechnique(t document.Text, known []Technique) {
	var ids []string
	names := map[string]string{}
	for _, k := range known {
		ids = append(ids, k.ID)
		names[k.ID] = k.Name
	}
	fix := "see attack.mitre.org for those of containers and Linux"
	parent, _, _ := strings.Cut(t.Value, ".")
	if now, was := revoked()[t.Value]; was {
		c.add(t.At, SeverityWarning, t.Value+" is an id of older versions of ATT&CK", fmt.Sprintf("write %s (%s)", now, names[now]))
		return
	}
	if name, is := names[parent]; is {
		fix = fmt.Sprintf("%s is %s", parent, name)
	} else if id := near.Nearest(t.Value, ids); id != "" {
		fix = fmt.Sprintf("did you mean %s (%s)?", id, names[id])
	}
	c.add(t.At, SeverityWarning, fmt.Sprintf("%s is no technique that is known here", t.Value), fix)
}

// matrix checks the ids of Microsoft's threat matrix for Kubernetes.
func (c *check) matrix(p *Playbook) {
	for _, t := range c.doc.Metadata.Matrix {
		switch {
		case t.Value == "":
			continue
		case !matrixForm.MatchString(t.Value):
			c.errorf(t.At, "write it as MS-TA9001", "%q is no technique of the threat matrix for Kubernetes", t.Value)
		case slices.Contains(p.Matrix, t.Value):
			c.errorf(t.At, "keep one of them", "the technique %s is named twice", t.Value)
			continue
		}
		p.Matrix = append(p.Matrix, t.Value)
	}
}

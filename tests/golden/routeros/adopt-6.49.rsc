{
:local bad ""; :local undo "";
:if ([:len [/interface find where name="bridge"]] = 0) do={:put "! there is no interface bridge; "; :set bad ($bad . "there is no interface bridge; ")};
:if ([:len [/interface find where name="ether1"]] = 0) do={:put "! there is no interface ether1; "; :set bad ($bad . "there is no interface ether1; ")};
:if ([:len [/system scheduler find where name="lango-undo"]] > 0) do={:put "! lango-undo still waits to be confirmed; "; :set bad ($bad . "lango-undo still waits to be confirmed; ")};
:local make0 false;
:if ([:len [/user group find where name=lango-adoption]] = 0) do={
:if ([:len [/user group find where name=lango-adoption]] = 0) do={
:set make0 true; :put "+ user group name=lango-adoption";
:set undo (":do {/user group remove [find where name=lango-adoption]} on-error={}; " . $undo)} else={
:put "! user group name=lango-adoption is there and differs, and is not touched; "; :set bad ($bad . "user group name=lango-adoption is there and differs, and is not touched; ")
}} else={:put "= user group name=lango-adoption"};
:local make1 false;
:if ([:len [/user find where name="lango" comment="lango-adoption 10.9.0.2"]] = 0) do={
:if ([:len [/user find where name="lango"]] = 0) do={
:set make1 true; :put "+ user name=lango";
:set undo (":do {/user remove [find where name=\"lango\" comment=\"lango-adoption 10.9.0.2\"]} on-error={}; " . $undo)} else={
:put "! user name=lango is there and differs, and is not touched; "; :set bad ($bad . "user name=lango is there and differs, and is not touched; ")
}} else={:put "= user name=lango"};
:local make2 false;
:if ([:len [/certificate find where name="lango" common-name="lango-adoption"]] = 0) do={
:if ([:len [/certificate find where name="lango"]] = 0) do={
:set make2 true; :put "+ certificate lango, signed by the router itself";
:set undo (":do {/certificate remove [find where name=\"lango\" common-name=\"lango-adoption\"]} on-error={}; " . $undo)} else={
:put "! certificate lango, signed by the router itself is there and differs, and is not touched; "; :set bad ($bad . "certificate lango, signed by the router itself is there and differs, and is not touched; ")
}} else={:put "= certificate lango, signed by the router itself"};
:local make3 false;
:if ([:len [/ip firewall address-list find where list=lango-agent address=10.9.0.2 comment="lango-adoption 10.9.0.2"]] = 0) do={
:if ([:len [/ip firewall address-list find where list=lango-agent address=10.9.0.2]] = 0) do={
:set make3 true; :put "+ address list list=lango-agent address=10.9.0.2";
:set undo (":do {/ip firewall address-list remove [find where list=lango-agent address=10.9.0.2 comment=\"lango-adoption 10.9.0.2\"]} on-error={}; " . $undo)} else={
:put "! address list list=lango-agent address=10.9.0.2 is there and differs, and is not touched; "; :set bad ($bad . "address list list=lango-agent address=10.9.0.2 is there and differs, and is not touched; ")
}} else={:put "= address list list=lango-agent address=10.9.0.2"};
:local make4 false;
:if ([:len [/ip dns static find where name="wifi.lango" comment="lango-adoption 10.9.0.2"]] = 0) do={
:if ([:len [/ip dns static find where name="wifi.lango"]] = 0) do={
:set make4 true; :put "+ DNS name name=wifi.lango";
:set undo (":do {/ip dns static remove [find where name=\"wifi.lango\" comment=\"lango-adoption 10.9.0.2\"]} on-error={}; " . $undo)} else={
:put "! DNS name name=wifi.lango is there and differs, and is not touched; "; :set bad ($bad . "DNS name name=wifi.lango is there and differs, and is not touched; ")
}} else={:put "= DNS name name=wifi.lango"};
:local make5 false;
:if ([:len [/ip firewall filter find where chain=input src-address-list=lango-agent comment="lango-adoption 10.9.0.2"]] = 0) do={
:if ([:len [/ip firewall filter find where chain=input src-address-list=lango-agent]] = 0) do={
:set make5 true; :put "+ filter rule: lango-agent may come to api-ssl, not from ether1";
:set undo (":do {/ip firewall filter remove [find where chain=input src-address-list=lango-agent comment=\"lango-adoption 10.9.0.2\"]} on-error={}; " . $undo)} else={
:put "! filter rule: lango-agent may come to api-ssl, not from ether1 is there and differs, and is not touched; "; :set bad ($bad . "filter rule: lango-agent may come to api-ssl, not from ether1 is there and differs, and is not touched; ")
}} else={:put "= filter rule: lango-agent may come to api-ssl, not from ether1"};
:local door [/ip service find where name="api-ssl"]; :local makedoor false;
:local had [/ip service get $door certificate];
:local closed [/ip service get $door disabled];
:if ($had = "lango" && !$closed) do={:put "= api-ssl with certificate lango"
} else={
:local from [:len [/ip service get $door address]];
:if (([:len $had] = 0 || $had = "none") && $from = 0) do={
:set makedoor true; :put "+ api-ssl, for the agent alone"; :local off "no";
:if ($closed) do={:set off "yes"};
:set undo (":do {/ip service set [/ip service find where name=\"api-ssl\"] certificate=none address=\"\" disabled=" . $off . "} on-error={}; " . $undo)} else={
:put "! api-ssl has another certificate or other addresses, and is not touched; "; :set bad ($bad . "api-ssl has another certificate or other addresses, and is not touched; ")}};
:if ([:len $bad] > 0) do={:put ("Nothing was changed: " . $bad . "mend that and paste again.")} else={
:if ([:len $undo] = 0) do={:put "All is there; nothing was changed."} else={
/ip firewall address-list remove [find where list=lango-adopted comment="lango-adoption confirmed"];
/system scheduler add name=lango-undo interval=10m policy=read,write,policy,test,sensitive comment="lango-adoption" on-event=(":if ([:len [/ip firewall address-list find where list=\"lango-adopted\"]] = 0) do={" . $undo . "}; /system scheduler remove [find where name=\"lango-undo\"]");
:if ($make0) do={/user group add name=lango-adoption policy=read,write,api};
:if ($make1) do={/user add name="lango" group=lango-adoption address=10.9.0.2/32 password="Zm9v-YmFy_1234" comment="lango-adoption 10.9.0.2"};
:if ($make2) do={/certificate add name="lango" common-name="lango-adoption" key-size=2048 days-valid=3650 key-usage=digital-signature,key-encipherment,tls-server; /certificate sign lango; :local waited 0; :while ([:len [/certificate get lango fingerprint]] = 0 && $waited < 120) do={:delay 1s; :set waited ($waited + 1)}};
:if ($make3) do={/ip firewall address-list add list=lango-agent address=10.9.0.2 comment="lango-adoption 10.9.0.2"};
:if ($make4) do={/ip dns static add name="wifi.lango" address=10.9.0.2 comment="lango-adoption 10.9.0.2"};
:if ($make5) do={:local first [/ip firewall filter find where chain=input dynamic=no]; :if ([:len $first] = 0) do={/ip firewall filter add chain=input action=accept protocol=tcp dst-port=8729 src-address-list=lango-agent in-interface="!ether1" comment="lango-adoption 10.9.0.2"} else={/ip firewall filter add chain=input action=accept protocol=tcp dst-port=8729 src-address-list=lango-agent in-interface="!ether1" comment="lango-adoption 10.9.0.2" place-before=[:pick $first 0]}};
:if ($makedoor) do={
/ip service set [/ip service find where name="api-ssl"] certificate=lango address=10.9.0.2/32 disabled=no};
:put ("Certificate sha256 " . [/certificate get lango fingerprint]);
:put "Done. Undone in 10 minutes unless the agent signs in before."
}}
}

//! Names of commands, and what else shells know.

use super::super::words::find;

/// How sure a name is a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It is nothing else.
    Clear,
    /// It is a word too.
    Word,
}

/// Commands of Unix and Windows whose names are no words.
const CLEAR: &str = "ansible perf rmt rmt-tar rmt-dump c89 lastlogin adduser alias apachectl apk apropos apt apt-get ar arp arping ash awk base32 base64 bash bcdboot bcdedit bitsadmin busybox bunzip2 bzcat bzip2 c99 cacls certutil \
    chattr chcon chflags chgrp chmod chown chroot chsh cmd cmd.exe cmdkey cmp command.com cpan cpio cpulimit cron crontab csc cscript csh csplit csvtool curl dash dd \
    debugfs df diff dig dir dirname diskpart dmesg dmidecode dnf docker dpkg dscl du dvips echo egrep elinks emacs env esentutl expr facter fgrep ffmpeg \
    forfiles ftp fsutil gawk gcc gdb getent getfacl gimp git gpg grep gtester gunzip gzip halt hexdump hostname hping3 htop httpd hwclock iconv icacls id ifconfig ifup iftop \
    ioreg ip ipconfig iptables irb ispell jjs jobs journalctl jrunscript js kill killall ksh ksshell kubectl last lastlog launchctl ldconfig less ln logname lp \
    ls ls-f lsattr lsb_release lscpu lshw lsmod lsof lspci ltrace lua lwp-download lwp-request lynx mail mailq mailx mawk md5sum mkdir mkfifo mknod mktemp mount mpstat msbuild mshta msiexec mtr mv mysql \
    mysqladmin mysqldump nasm nawk nbtstat nc nc.openbsd nc.traditional ncat net.exe netcat netsh netstat nft ngrep nice nm nmap node nohup npm nroff nsenter nslookup ntpdate od openssl \
    passwd pdb perl perlsh pfctl pgrep php php5 php7 php8 phpinfo pico ping ping6 pip pip3 pkexec pkg pkill popd powershell powershell.exe printenv printf pry ps psexec psftp psql ptx pushd pwd pwsh python python2 python3 \
    rcp rdesktop readelf readlink reg.exe regsvr32 regedit rlogin rlwrap rm rmdir rndc robocopy rpm rpmquery rsync rundll32 rvim sc.exe schtasks scp scutil sed service sestatus sftp sh sha1sum sha256sum \
    shuf smbclient socat sqlite3 ss ssh sshd stat strace stdbuf su sudo sysctl systemctl systeminfo tac taskkill tasklist tcsh tcpdump telnet tftp timedatectl tmux tnsping tracert traceroute tshark tsc \
    uname unzip uniq unrar unset unxz useradd userdel usermod uudecode uuencode vi vim vimdiff vmstat vssadmin wevtutil wget wget.exe where.exe whoami whoami.exe whois winrm winrs wmic wscript xargs xcopy xxd xz xmodmap xz yum zcat zip zipinfo \
    zsh zsoelim zypper waitfor systeminfo.exe net1 net net.exe ipconfig.exe chdir cscript.exe finger.exe ver hostid tty lsblk blkid iwr iex irm iwmi gci gwmi icm ntdsutil dsquery nltest csvde ldifde wbadmin procdump mimikatz \
    getcap setcap nproc arch groups fdisk mkfs iw pidstat sar slabtop swapon swapoff getconf compgen enable.exe declare readarray mapfile shopt ulimit umask unalias bind.exe builtin disown typeset \
    aria2c aspell atobm basenc batcat bconsole bpftrace busctl byebug cabal capsh cdist certbot choom clamscan cowthink crictl cscli crowdsec ctr \
    cupsfilter distcc dmsetup dos2unix dosbox dotnet dpkg-reconfigure dstat easy_install easyrsa efax elvish enscript exiftool fping gcloud gcore \
    genisoimage ghci ginsh grc groupadd groupdel groupmod gsutil inotifywait insmod ipmitool iscsiadm jtag ksu kubeadm latexmk lftp losetup lsusb \
    ltrace lualatex luatex lvcreate modinfo modprobe mosquitto_pub mosquitto_sub msfconsole msfvenom msgattrib msgcat msgconv msgfilter msgmerge \
    msguniq multitime ncdu ncftp ndiff newgrp nginx ngrok ntpq opkg openvpn openvt pdflatex pdftex peekfd perlbug pexec pipx podman prtstat pstree psad \
    qpdf rfkill rmmod rpmdb rpmverify rtorrent rtcwake rvm rvview salt-call scanmem setarch setfacl setlock skopeo slsh softlimit sshpass sss_cache \
    supervisorctl swaks tailf taskset tasksh tcpkill tdbtool tmate torify torsocks tput tshark tune2fs uconv ufw unshare unsquashfs updatedb uvx \
    varnishncsa vigr vipw virsh virtualenv visudo vlock volatility w3m whiptail wireshark wkhtmltopdf xdg-open xdotool xetex xfreerdp xpad xterm yash \
    zathura zdump zerofree zramctl";

/// Commands whose names are words.
const WORDS: &str = "apache2 at batch bind break bridge builtin bundler cal call cancel capsh case cat cd check clear cobc column comm composer continue copy cp crash cut date del dialog ditto do done done echo ed \
    enable erase eval ex exec exit expand expect export false fc fetch fg file find finger flock fmt fold for format free function ftp fuser gem ghc go head help history host hash hd if info install ionice jar java \
    join joe latex ld link local locate login look make man md mem more move msg nano nl od open pax paste patch peek pr print pwd query quota rake ready read red reg ren rename replace reset restic return rev route \
    ruby run sash screen script select set setup show shutdown sleep snap soelim sort source split start strings svn sync tail tar task tasks tbl tclsh tee test tex tic time timeout top touch tr trap tree troff true type \
    ul until unexpand update user users valgrind view vol w wait wall watch wc where whatis whereis which while who write xelatex yarn yes zed zone rd rmtree halt reboot poweroff init logout mode more path pause prompt subst title verify assoc attrib choice fc as dc salt puppet vault helm posh rake wall knife octave vagrant locale ab comm fold column";

/// Forms that are shells' alone.
pub(super) const FORMS: &[(&str, u8)] = &[
    ("/dev/tcp/", 92),
    ("/dev/udp/", 90),
    ("%comspec%", 86),
    ("${ifs", 84),
    ("$ifs", 82),
    ("ifs=", 72),
    ("2>&1", 76),
    (">/dev/null", 82),
    ("> /dev/null", 82),
    ("<<<", 66),
    ("cmd /c", 88),
    ("cmd.exe", 82),
    ("/c dir", 66),
    ("bash -c", 88),
    ("bash -i", 90),
    ("sh -i", 82),
    ("sh -c", 84),
    ("nc -e", 84),
    ("-encodedcommand", 84),
    ("downloadstring(", 86),
    ("invoke-expression", 88),
    ("invoke-webrequest", 84),
    ("new-object ", 78),
    ("system.net.webclient", 84),
    ("set-executionpolicy", 84),
    ("set -o history", 70),
    ("|sh", 66),
    ("| sh", 66),
    ("|bash", 74),
    ("| bash", 76),
    (":(){", 90),
];

fn table() -> &'static std::collections::HashMap<&'static [u8], Class> {
    static TABLE: std::sync::LazyLock<std::collections::HashMap<&'static [u8], Class>> =
        std::sync::LazyLock::new(|| {
            let rows = [(Class::Word, WORDS), (Class::Clear, CLEAR)];
            let each = |(class, names): (Class, &'static str)| {
                names.split_ascii_whitespace().map(move |name| (name.as_bytes(), class))
            };
            rows.into_iter().flat_map(each).collect()
        });
    &TABLE
}

/// Tools that come as many programs of one first name: `ssh-keygen`, `apt-cache`.
const FAMILIES: [&str; 20] = [
    "ansible", "apt", "certbot", "chef", "cron", "docker", "dpkg", "git", "kube", "lxc", "msf", "mysql",
    "pg", "puppet", "pyenv", "salt", "ssh", "systemd", "update", "vagrant",
];

/// What a name is.
pub(super) fn of(name: &[u8]) -> Option<Class> {
    let name = name.strip_suffix(b".exe").unwrap_or(name);
    table().get(name).copied().or_else(|| {
        let dash = memchr::memchr(b'-', name)?;
        let member = name.get(dash + 1..).is_some_and(|rest| {
            rest.len() > 2 && rest.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-')
        });
        let known = FAMILIES.iter().any(|family| family.as_bytes() == &name[..dash]);
        (member && known).then_some(Class::Clear)
    })
}

/// Programs that fetch pages and say who they are, or in whose name libraries do.
pub(super) fn is_client(name: &[u8]) -> bool {
    const CLIENTS: &str = "curl wget python python2 python3 php perl ruby java node npm pip pip3 lynx elinks w3m git aria2c dotnet ffmpeg lftp \
        lwp-request lwp-download docker podman helm terraform aws nginx yum dnf zypper apk mysql js jq git ncat netcat ping nmap mail";
    CLIENTS.split_ascii_whitespace().any(|client| client.as_bytes() == name)
}

/// Commands that run the command behind them.
pub(super) fn runs_others(name: &[u8]) -> bool {
    const RUNNERS: [&str; 14] = [
        "time", "nohup", "sudo", "exec", "env", "nice", "strace", "ltrace", "timeout", "xargs", "command",
        "busybox", "setsid", "ionice",
    ];
    RUNNERS.iter().any(|runner| runner.as_bytes() == name)
}

/// Commands of SQLite's shell, which runs others.
pub(super) fn is_dot_command(name: &[u8]) -> bool {
    const COMMANDS: [&str; 18] = [
        "sh",
        "sys",
        "shell",
        "system",
        "databases",
        "tables",
        "dump",
        "schema",
        "import",
        "read",
        "load",
        "open",
        "save",
        "backup",
        "output",
        "once",
        "clone",
        "restore",
    ];
    name.strip_prefix(b".").is_some_and(|name| COMMANDS.iter().any(|command| command.as_bytes() == name))
}

/// Words that sentences have and commands do not take.
pub(super) fn is_prose(word: &[u8]) -> bool {
    const WORDS: &str = "is are was were be the a an of to in and or for with your my our his her their this that it you we i";
    WORDS.split_ascii_whitespace().any(|known| known.as_bytes() == word)
}

/// The last part of a path.
pub(super) fn base(name: &[u8]) -> &[u8] {
    name.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(name, |at| &name[at + 1..])
}

/// Whether a text begins as the products of a `User-Agent` do: `name/version`.
pub(super) fn is_product(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(**byte, b'-' | b'.' | b'_'))
        .count();
    name > 1 && matches!(text.get(name), Some(b'/' | b' ')) && find(text, b" (").is_some()
        || name > 1 && text.get(name) == Some(&b'/')
}

/// Whether a path has parts that a shell would fill in. A URL's `?` begins its query.
pub(super) fn is_glob(name: &[u8]) -> bool {
    let slash = memchr::memchr(b'/', name);
    slash.is_some_and(|at| at == 0 || in_bin(name) || matches!(name[0], b'?' | b'*' | b'.'))
        && find(name, b"//").is_none()
        && !name.contains(&b'=')
        && !name.contains(&b':')
        && !name.ends_with(b"/*")
        && !name.ends_with(b"?")
        // `/[a-z]+/` is a pattern.
        && (memchr::memchr2(b'?', b'*', name).is_some() || memchr::memchr_iter(b'/', name).count() > 1)
        && !name.ends_with(b"/")
}

/// Whether a path lies where programs do.
pub(super) fn in_bin(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"/").unwrap_or(name);
    if find(name, b"/bin/").is_some() || find(name, b"system32").is_some() {
        return true;
    }
    [
        "bin/",
        "sbin/",
        "usr/bin/",
        "usr/sbin/",
        "usr/local/bin/",
        "usr/local/sbin/",
        "windows/system32/",
        "c:/windows/",
    ]
    .iter()
    .any(|folder| name.starts_with(folder.as_bytes()))
}

/// `Verb-Noun`, with the verbs that PowerShell approves of.
pub(super) fn is_cmdlet(name: &[u8]) -> bool {
    const VERBS: [&str; 26] = [
        "add",
        "clear",
        "convertto",
        "copy",
        "enable",
        "disable",
        "export",
        "find",
        "format",
        "get",
        "import",
        "install",
        "invoke",
        "move",
        "new",
        "out",
        "read",
        "remove",
        "rename",
        "restart",
        "select",
        "set",
        "start",
        "stop",
        "test",
        "write",
    ];
    const NOUNS: &str = "item childitem content command expression webrequest restmethod process service object host computer location path variable alias member \
        wmiobject cimInstance ciminstance acl job module psdrive eventlog hotfix history date random credential executionpolicy string itemproperty localuser \
        netipaddress scheduledtask session pssession printer table list csv json xml file archive type help clipboard adcomputer aduser";
    let Some(dash) = memchr::memchr(b'-', name) else { return false };
    let (verb, noun) = (&name[..dash], &name[dash + 1..]);
    VERBS.iter().any(|known| known.as_bytes() == verb)
        && NOUNS.split_ascii_whitespace().any(|known| known.as_bytes() == noun)
}

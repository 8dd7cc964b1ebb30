//! A company's logins over some weeks, made from a seed: who works where and when, with all that makes honest people
//! look odd, and misuse hidden in it, of which it is known where it is.
//!
//! Honest oddities: offices on three continents, shifts, working from home, VPNs whose address is elsewhere, carriers that
//! place a phone in another city or, abroad, at home, business trips and holidays, cafés, new phones and laptops, updates
//! of systems, overtime and sleepless nights, projects with new machines, services that are rolled out to all, new hires.

use aludel::seam::sim::Dice;

/// Name, country, latitude, longitude, hours from UTC.
type City = (&'static str, &'static str, f64, f64, i64);

/// The first six have an office.
const CITIES: [City; 26] = [
    ("Berlin", "DE", 52.52, 13.41, 1),
    ("Munich", "DE", 48.14, 11.58, 1),
    ("London", "GB", 51.51, -0.13, 0),
    ("New York", "US", 40.71, -74.01, -5),
    ("Austin", "US", 30.27, -97.74, -6),
    ("Bengaluru", "IN", 12.97, 77.59, 5),
    ("Hamburg", "DE", 53.55, 9.99, 1),
    ("Manchester", "GB", 53.48, -2.24, 0),
    ("Boston", "US", 42.36, -71.06, -5),
    ("Seattle", "US", 47.61, -122.33, -8),
    ("Mumbai", "IN", 19.08, 72.88, 5),
    ("Delhi", "IN", 28.61, 77.21, 5),
    ("Paris", "FR", 48.86, 2.35, 1),
    ("Madrid", "ES", 40.42, -3.70, 1),
    ("Palma", "ES", 39.57, 2.65, 1),
    ("Rome", "IT", 41.90, 12.50, 1),
    ("Vienna", "AT", 48.21, 16.37, 1),
    ("Warsaw", "PL", 52.23, 21.01, 1),
    ("Singapore", "SG", 1.35, 103.82, 8),
    ("Tokyo", "JP", 35.68, 139.69, 9),
    ("Sydney", "AU", -33.87, 151.21, 10),
    ("Toronto", "CA", 43.65, -79.38, -5),
    ("Lagos", "NG", 6.52, 3.38, 1),
    ("Moscow", "RU", 55.76, 37.62, 3),
    ("Sao Paulo", "BR", -23.55, -46.63, -3),
    ("Shenzhen", "CN", 22.54, 114.06, 8),
];
const OFFICES: usize = 6;
const DAY: i64 = 86_400;
const HOUR: i64 = 3600;
/// Networks through which all who use it come from the place of its egress: Hamburg, Boston.
const VPNS: [(u32, usize); 2] = [(900, 6), (901, 8)];
const COMMON: u16 = 10;
const TEAMS: u16 = 30;
const OF_TEAM: u16 = 8;
/// Machines that few people use.
const ADMIN: u16 = COMMON + TEAMS * OF_TEAM;
const ADMINS: u16 = 60;
const SERVICES: u16 = ADMIN + ADMINS;

/// How often things happen: once in so many days of a user, where nothing else is said.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) users: u32,
    pub(super) days: i64,
    /// One in so many users has a VPN.
    pub(super) vpn: u64,
    pub(super) trip: u64,
    pub(super) holiday: u64,
    pub(super) cafe: u64,
    pub(super) phone: u64,
    pub(super) sleepless: u64,
    pub(super) overtime: u64,
    pub(super) project: u64,
    pub(super) one_off: u64,
    /// Services that are rolled out.
    pub(super) services: u16,
    /// Cases of each kind.
    pub(super) cases: usize,
    /// Fewest events of a case.
    pub(super) quiet: u64,
}

/// What is planted.
pub(super) const KINDS: [&str; 4] = ["travel", "new device", "odd hours", "lateral access"];

/// A case of misuse.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Which of [`KINDS`].
    pub(super) kind: usize,
    pub(super) user: u32,
    /// Seconds of its first and last event.
    pub(super) from: i64,
    pub(super) to: i64,
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login {
    pub(super) time: i64,
    pub(super) user: u32,
    pub(super) city: usize,
    pub(super) network: u32,
    pub(super) device: u16,
    pub(super) resource: u16,
}

impl Login {
    pub(super) fn place(&self) -> City {
        CITIES[self.city]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Shift {
    Day,
    Night,
    Rotating,
}

struct Person {
    home: usize,
    isp: u32,
    mobile: u32,
    laptop: u16,
    phone: u16,
    shift: Shift,
    begins: i64,
    vpn: Option<(u32, usize)>,
    resources: Vec<u16>,
    /// Day on which each service is taken up.
    services: Vec<i64>,
    hired: i64,
    /// Away until that day, and where; at home where there is no city.
    away: (i64, i64, Option<usize>, bool),
    project: (i64, Vec<u16>),
}

fn country(city: usize) -> u32 {
    let first = CITIES.iter().position(|of| of.1 == CITIES[city].1);
    first.unwrap_or_default() as u32
}

fn isp(dice: &mut Dice, city: usize) -> u32 {
    1000 + country(city) * 10 + dice.below(4) as u32
}

fn mobile(city: usize) -> u32 {
    1000 + country(city) * 10 + 8
}

/// Popular ones more often; the number says program, system and its version.
fn laptop(dice: &mut Dice) -> u16 {
    let popular = dice.below(8).min(dice.below(8)) as u16;
    popular * 3 + dice.below(3) as u16
}

fn phone(dice: &mut Dice) -> u16 {
    100 + dice.below(3).min(dice.below(3)) as u16 * 10 + dice.below(5) as u16
}

/// A city that a business trip or a holiday goes to.
fn elsewhere(dice: &mut Dice, home: usize) -> usize {
    loop {
        // Seldom to where most attacks are said to come from.
        let city = if dice.one_in(30) { dice.below(26) } else { dice.below(22) } as usize;
        if city != home {
            return city;
        }
    }
}

fn person(dice: &mut Dice, setting: &Setting, rollouts: &[i64]) -> Person {
    // Half of all are in the first office.
    let home = if dice.one_in(2) { 0 } else { dice.below(OFFICES as u64) as usize };
    let team = dice.below(u64::from(TEAMS)) as u16;
    let mut resources: Vec<u16> = (0..COMMON).collect();
    resources.extend((0..OF_TEAM).filter(|_| !dice.one_in(4)).map(|at| COMMON + team * OF_TEAM + at));
    if dice.one_in(5) {
        resources.push(ADMIN + dice.below(u64::from(ADMINS)) as u16);
    }
    let shift = match dice.below(20) {
        0 => Shift::Night,
        1 => Shift::Rotating,
        _ => Shift::Day,
    };
    let vpn = dice.one_in(setting.vpn).then(|| VPNS[dice.below(2) as usize]);
    let services =
        rollouts.iter().map(|day| day + dice.below(4).min(dice.below(12)) as i64 + dice.below(8) as i64);
    let services = services.collect();
    Person {
        home,
        isp: isp(dice, home),
        mobile: mobile(home),
        laptop: laptop(dice),
        phone: phone(dice),
        shift,
        begins: 7 + dice.below(3) as i64,
        vpn,
        resources,
        services,
        hired: if dice.one_in(30) { dice.below(setting.days as u64) as i64 } else { 0 },
        away: (0, 0, None, false),
        project: (0, Vec::new()),
    }
}

/// The events of one user on one day.
struct Today<'a> {
    dice: &'a mut Dice,
    user: u32,
    /// Seconds of its local midnight.
    midnight: i64,
    city: usize,
    out: &'a mut Vec<Login>,
}

impl Today<'_> {
    fn login(&mut self, of: &Person, second: i64, place: (usize, u32), device: u16) {
        let at = self.dice.below(of.resources.len() as u64).min(self.dice.below(of.resources.len() as u64));
        let (city, network) = place;
        let time = self.midnight + second;
        self.out.push(Login {
            time,
            user: self.user,
            city,
            network,
            device,
            resource: of.resources[at as usize],
        });
    }

    /// Where a phone seems to be on its carrier's network.
    fn carrier(&mut self, of: &Person) -> (usize, u32) {
        let abroad = country(self.city) != country(of.home);
        if abroad && of.away.3 {
            return (of.home, of.mobile);
        }
        let here = if abroad { self.city } else { of.home.max(self.city) };
        let same: Vec<_> = (0..CITIES.len()).filter(|city| country(*city) == country(here)).collect();
        let city =
            if self.dice.one_in(4) { same[self.dice.below(same.len() as u64) as usize] } else { self.city };
        (city, mobile(here))
    }

    fn somewhere_between(&mut self, from: i64, to: i64) -> i64 {
        from + self.dice.below((to - from).max(1) as u64) as i64
    }
}

/// All events, in order, and the cases that are hidden in them.
pub(super) fn company(setting: &Setting, start: i64) -> (Vec<Login>, Vec<Case>) {
    let mut dice = Dice::new(setting.seed);
    let rollouts: Vec<i64> =
        (0..setting.services).map(|_| 8 + dice.below((setting.days - 10) as u64) as i64).collect();
    let mut people: Vec<_> = (0..setting.users).map(|_| person(&mut dice, setting, &rollouts)).collect();
    let mut out = Vec::new();
    for day in 0..setting.days {
        for (user, of) in people.iter_mut().enumerate() {
            if day >= of.hired {
                changes(&mut dice, setting, of, day);
                let city = of.away.2.filter(|_| day < of.away.1).unwrap_or(of.home);
                let midnight = start + day * DAY - CITIES[city].4 * HOUR;
                let mut today = Today { dice: &mut dice, user: user as u32, midnight, city, out: &mut out };
                live(&mut today, setting, of, day);
            }
        }
    }
    out.sort_by_key(|of| (of.time, of.user));
    let cases = plant(&mut dice, setting, start, &people, &mut out);
    out.sort_by_key(|of| (of.time, of.user));
    (out, cases)
}

/// What changes in a life, now and then.
fn changes(dice: &mut Dice, setting: &Setting, of: &mut Person, day: i64) {
    if day > of.away.1 {
        if dice.one_in(setting.trip) {
            let city = elsewhere(dice, of.home);
            of.away = (day, day + 2 + dice.below(4) as i64, Some(city), dice.one_in(3));
        } else if dice.one_in(setting.holiday) {
            let city = dice.one_in(3).then(|| elsewhere(dice, of.home));
            of.away = (day, day + 5 + dice.below(10) as i64, city, dice.one_in(3));
        }
    }
    if dice.one_in(setting.phone) {
        of.phone = phone(dice);
    }
    if dice.one_in(setting.phone * 2) {
        of.laptop = laptop(dice);
    }
    // An update that comes to all phones of a make over two weeks.
    if day > 30 && of.phone / 10 == 10 && of.phone % 10 != 7 && dice.one_in(10) {
        of.phone = 107;
    }
    if dice.one_in(400) {
        of.isp = isp(dice, of.home);
    }
    if dice.one_in(setting.project) {
        let team = dice.below(u64::from(TEAMS)) as u16;
        let count = 3 + dice.below(6);
        let some =
            (0..count).map(|_| COMMON + team * OF_TEAM + dice.below(u64::from(OF_TEAM)) as u16).collect();
        of.project = (day, some);
    }
    for (service, taken_up) in of.services.iter().enumerate() {
        if *taken_up == day {
            of.resources.insert(3, SERVICES + service as u16);
        }
    }
}

fn live(today: &mut Today<'_>, setting: &Setting, of: &mut Person, day: i64) {
    let is_away = day < of.away.1;
    let is_holiday = is_away && (of.away.1 - of.away.0 > 5 || of.away.2.is_none());
    // On the way back.
    if day == of.away.1 && of.away.1 > 0 && of.away.2.is_some() {
        return;
    }
    let hotel = (today.city, 20_000 + today.city as u32 * 40 + today.dice.below(6) as u32);
    if is_holiday {
        if of.away.2.is_some() && day > of.away.0 && today.dice.one_in(3) {
            let second = today.somewhere_between(9 * HOUR, 21 * HOUR);
            let place = if today.dice.one_in(2) { today.carrier(of) } else { hotel };
            today.login(of, second, place, of.phone);
        }
        return;
    }
    let is_weekend = (day + 6) % 7 >= 5;
    let home = (today.city, of.isp);
    if today.dice.one_in(setting.sleepless) && !is_away && of.shift == Shift::Day {
        let second = today.somewhere_between(0, 5 * HOUR);
        today.login(of, second, home, of.phone);
    }
    if is_weekend {
        if today.dice.one_in(12) && !is_away {
            for _ in 0..1 + today.dice.below(3) {
                let second = today.somewhere_between(9 * HOUR, 20 * HOUR);
                today.login(of, second, home, of.laptop);
            }
        }
        return;
    }
    let turn = (day / 7 + i64::from(today.user)) % 3;
    let begins = match of.shift {
        Shift::Day => of.begins,
        Shift::Night => 22,
        Shift::Rotating => [6, 14, 22][turn as usize],
    };
    let mut from = begins * HOUR + today.dice.below(2400) as i64;
    let mut to = from + 8 * HOUR + today.dice.below(3600) as i64;
    if of.shift == Shift::Day && today.dice.one_in(setting.overtime) {
        to += (1 + today.dice.below(4) as i64) * HOUR;
    }
    if is_away && day == of.away.0 {
        // After a flight of up to a day.
        from = from.max(19 * HOUR);
        to = 22 * HOUR;
        if day == of.away.0 && CITIES[today.city].4 > CITIES[of.home].4 + 3 {
            return;
        }
    }
    let is_office = today.city < OFFICES && !today.dice.one_in(3);
    let cafe = today.dice.one_in(setting.cafe);
    let desk = match (is_office, is_away) {
        _ if cafe => (today.city, 20_000 + today.city as u32 * 40 + 6 + today.dice.below(30) as u32),
        (true, _) => (today.city, 500 + today.city as u32),
        (false, true) => hotel,
        (false, false) => home,
    };
    for _ in 0..7 + today.dice.below(6) {
        let second = today.somewhere_between(from, to);
        match today.dice.below(8) {
            0 => {
                let place = today.carrier(of);
                today.login(of, second, place, of.phone);
            }
            1..4 if !is_office && of.vpn.is_some() => {
                let (network, city) = of.vpn.unwrap_or_default();
                today.login(of, second, (city, network), of.laptop);
            }
            _ => today.login(of, second, desk, of.laptop),
        }
    }
    if of.shift == Shift::Day && today.dice.one_in(3) {
        let second = today.somewhere_between(19 * HOUR, 22 * HOUR);
        today.login(of, second, if is_away { hotel } else { home }, of.phone);
    }
    // Something of a colleague's; machines of a project, which stay.
    let second = today.somewhere_between(from, to);
    let time = today.midnight + second;
    let login =
        Login { time, user: today.user, city: desk.0, network: desk.1, device: of.laptop, resource: 0 };
    if today.dice.one_in(setting.one_off) {
        let resource = COMMON + today.dice.below(u64::from(TEAMS * OF_TEAM)) as u16;
        today.out.push(Login { resource, ..login });
    }
    if day < of.project.0 + 7 && today.dice.one_in(2) {
        for _ in 0..1 + today.dice.below(2) {
            if let Some(resource) = of.project.1.pop() {
                of.resources.push(resource);
                today.out.push(Login { resource, ..login });
            }
        }
    }
}

fn km(from: City, to: City) -> f64 {
    let (a, b) = ((from.2.to_radians(), from.3.to_radians()), (to.2.to_radians(), to.3.to_radians()));
    let cos = a.0.sin() * b.0.sin() + a.0.cos() * b.0.cos() * (a.1 - b.1).cos();
    6371.0 * cos.clamp(-1.0, 1.0).acos()
}

/// Hides cases from the fourth week on, among users of whom there are four events at home on that day.
fn plant(
    dice: &mut Dice,
    setting: &Setting,
    start: i64,
    people: &[Person],
    out: &mut Vec<Login>,
) -> Vec<Case> {
    let mut days = std::collections::BTreeMap::<(u32, i64), Vec<Login>>::new();
    for of in out.iter() {
        days.entry((of.user, (of.time - start) / DAY)).or_default().push(*of);
    }
    let mut cases = Vec::new();
    let mut hurt = std::collections::BTreeSet::new();
    while cases.len() < setting.cases * KINDS.len() {
        let user = dice.below(u64::from(setting.users)) as u32;
        let day = 25 + dice.below((setting.days - 26) as u64) as i64;
        let of = &people[user as usize];
        let Some(events) = days.get(&(user, day)).filter(|events| events.len() >= 4) else { continue };
        let at_home = events.iter().filter(|event| event.city == of.home).count();
        if of.hired > 0 || at_home * 2 < events.len() || hurt.contains(&user) {
            continue;
        }
        let kind = cases.len() % KINDS.len();
        // At no hour is somebody odd who works at all of them in turn.
        if kind == 2 && of.shift == Shift::Rotating {
            continue;
        }
        hurt.insert(user);
        let anchor = events[dice.below(events.len() as u64) as usize];
        let came = out.len();
        let at_desk = events.iter().find(|event| event.city == of.home && event.device < 100);
        let at_desk = at_desk.copied().unwrap_or(anchor);
        let before = events.iter().map(|event| event.resource).collect::<Vec<_>>();
        misuse(dice, setting, kind, of, (anchor, at_desk, &before), out);
        let times = || out[came..].iter().map(|of| of.time);
        let (Some(from), Some(to)) = (times().min(), times().max()) else { continue };
        cases.push(Case { kind, user, from, to });
    }
    cases
}

fn misuse(
    dice: &mut Dice,
    setting: &Setting,
    kind: usize,
    of: &Person,
    (anchor, at_desk, before): (Login, Login, &[u16]),
    out: &mut Vec<Login>,
) {
    let count = setting.quiet + dice.below(4);
    let known = |dice: &mut Dice| before[dice.below(before.len() as u64) as usize];
    let strange = |dice: &mut Dice| loop {
        let device = if dice.one_in(2) { laptop(dice) } else { 200 + dice.below(20) as u16 };
        if device != at_desk.device && device != of.phone {
            return device;
        }
    };
    let hosting = 60_000 + dice.below(200) as u32;
    match kind {
        0 => {
            let city = loop {
                let city = dice.below(26) as usize;
                if km(CITIES[anchor.city], CITIES[city]) > 2500.0
                    && km(CITIES[of.home], CITIES[city]) > 2500.0
                {
                    break city;
                }
            };
            let network = if dice.one_in(2) { hosting } else { isp(dice, city) };
            let device = if dice.below(10) < 3 { at_desk.device } else { strange(dice) };
            let mut time = anchor.time + 600 + dice.below(4800) as i64;
            for _ in 0..count {
                out.push(Login { time, city, network, device, resource: known(dice), ..anchor });
                time += 60 + dice.below(600) as i64;
            }
        }
        1 => {
            let near: Vec<_> = (0..CITIES.len()).filter(|city| country(*city) == country(of.home)).collect();
            let city = near[dice.below(near.len() as u64) as usize];
            let other = 1000 + country(city) * 10 + 4 + dice.below(4) as u32;
            let network = if dice.one_in(2) { hosting } else { other };
            let device = strange(dice);
            let mut time = anchor.time + dice.below(7200) as i64;
            for _ in 0..count {
                out.push(Login { time, city, network, device, resource: known(dice), ..anchor });
                time += 60 + dice.below(900) as i64;
            }
        }
        2 => {
            let local = CITIES[of.home].4 * HOUR;
            let midnight = (anchor.time + local).div_euclid(DAY) * DAY - local;
            // Who works by night sleeps at noon.
            let from = if of.shift == Shift::Night { 12 } else { 1 };
            let hour = from + dice.below(3) as i64;
            let mut time = midnight + hour * HOUR + dice.below(1800) as i64;
            for _ in 0..count + 2 {
                out.push(Login { time, resource: known(dice), ..at_desk });
                time += 600 + dice.below(2000) as i64;
            }
        }
        _ => {
            let mut time = anchor.time + dice.below(1800) as i64;
            let mut left = setting.quiet + 3 + dice.below(5);
            while left > 0 {
                let resource = COMMON + dice.below(u64::from(TEAMS * OF_TEAM + ADMINS)) as u16;
                if of.resources.contains(&resource) {
                    continue;
                }
                left -= 1;
                out.push(Login { time, resource, ..at_desk });
                time += 60 + dice.below(420) as i64;
            }
        }
    }
}

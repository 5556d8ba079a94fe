//! The words of the page. The names of settings are those that iPadOS shows.

/// All that is said, in one language. `{ca}` stands for the name of the CA.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) language: &'static str,
    pub(super) other_language: &'static str,
    pub(super) other_name: &'static str,
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) step_profile: &'static str,
    pub(super) download: &'static str,
    pub(super) allow: &'static str,
    pub(super) step_install: &'static str,
    pub(super) install: &'static str,
    pub(super) step_trust: &'static str,
    pub(super) trust: &'static str,
    pub(super) compare: &'static str,
    pub(super) compare_how: &'static str,
    pub(super) step_open: &'static str,
    pub(super) open: &'static str,
    pub(super) other_addresses: &'static str,
    pub(super) other_devices: &'static str,
    pub(super) profile_description: &'static str,
    pub(super) nothing_here: &'static str,
    pub(super) only_reading: &'static str,
    pub(super) try_again: &'static str,
}

pub(super) const POLISH: Words = Words {
    language: "pl",
    other_language: "en",
    other_name: "English",
    title: "Przygotuj iPada",
    intro: "Raz na każdym iPadzie, dwie minuty. Internet nie jest potrzebny.",
    step_profile: "Pobierz profil",
    download: "Pobierz profil",
    allow: "Otwórz tę stronę w Safari. Gdy iPad zapyta o profil, wybierz „Pozwól”.",
    step_install: "Zainstaluj profil",
    install: "<b>Ustawienia → Ogólne → VPN i zarządzanie urządzeniami</b>: wybierz pobrany profil i „Zainstaluj”. \
              Masz na to osiem minut; potem pobierz go jeszcze raz.",
    step_trust: "Włącz zaufanie",
    trust: "<b>Ustawienia → Ogólne → To urządzenie → Ustawienia zaufania certyfikatu</b>: włącz „{ca}”.",
    compare: "Najpierw porównaj odcisk z ekranem laptopa",
    compare_how: "Na iPadzie: w profilu „Więcej szczegółów”, certyfikat „{ca}”, SHA-256. Jeśli choć jeden znak jest inny niż na \
                  laptopie, usuń profil i nie włączaj zaufania.",
    step_open: "Otwórz Leadlog",
    open: "Potem dodaj stronę do ekranu początkowego: „Udostępnij”, „Do ekranu początkowego”.",
    other_addresses: "Gdy iPad nie znajduje tej nazwy:",
    other_devices: "Inne urządzenia:",
    profile_description: "iPad zaufa hubowi Leadlog w sieci lokalnej. Usuń ten profil po wydarzeniu.",
    nothing_here: "Tu jest tylko strona, która przygotowuje iPada. Otwórz ten adres bez niczego po ukośniku.\n",
    only_reading: "Tę stronę można tylko czytać.\n",
    try_again: "Profilu nie udało się przygotować. Spróbuj jeszcze raz; przyczyna jest w logu huba.\n",
};

pub(super) const ENGLISH: Words = Words {
    language: "en",
    other_language: "pl",
    other_name: "Polski",
    title: "Set up this iPad",
    intro: "Once on each iPad, two minutes. No internet needed.",
    step_profile: "Download the profile",
    download: "Download the profile",
    allow: "Open this page in Safari. When the iPad asks about the profile, choose “Allow”.",
    step_install: "Install the profile",
    install: "<b>Settings → General → VPN &amp; Device Management</b>: choose the downloaded profile and “Install”. You have \
              eight minutes; after that, download it again.",
    step_trust: "Turn trust on",
    trust: "<b>Settings → General → About → Certificate Trust Settings</b>: turn on “{ca}”.",
    compare: "First compare the fingerprint with the laptop’s screen",
    compare_how: "On the iPad: in the profile “More Details”, the certificate “{ca}”, SHA-256. If a single character differs from \
                  the laptop, remove the profile and leave trust off.",
    step_open: "Open Leadlog",
    open: "Then add it to the Home Screen: “Share”, “Add to Home Screen”.",
    other_addresses: "If the iPad does not find this name:",
    other_devices: "Other devices:",
    profile_description: "The iPad will trust the Leadlog hub on the local network. Remove this profile after the event.",
    nothing_here: "Only the page that sets up an iPad is here. Open this address with nothing after the slash.\n",
    only_reading: "This page can be read and nothing else.\n",
    try_again: "The profile could not be made. Try again; the hub’s log says why.\n",
};

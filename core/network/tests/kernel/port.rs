//! Published ports: elements of the table's maps.

use crate::world::{Server, call, call_from, connect, endpoint, journalled, network, on_a_host, run};
use davit_network::{NetError, Netns};
use std::{
    io::{self},
    net::{TcpListener, UdpSocket},
    time::Duration,
};

#[test]
fn a_published_port_is_reached_from_everywhere_and_refused_once_undone() {
    on_a_host(|host| {
        let plan = network(2);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        let published = endpoint(2, 2, &[("tcp", 8080, None)]);
        connect(host, ("n", &plan), "a", &published, &a).unwrap();
        connect(host, ("n", &plan), "b", &endpoint(2, 3, &[]), &b).unwrap();
        let _server = Server::in_namespace(&a, "[::]:80");
        call("127.0.0.1:8080").unwrap();
        call("172.30.2.1:8080").unwrap();
        call("[fd00:2::1]:8080").unwrap();
        // Nothing leads ::1 away, so that `localhost` falls back to 127.0.0.1 without a wait.
        assert_eq!(call("[::1]:8080").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        // From a neighbour, and from itself by the host's address: the hairpin.
        call_from(&b, "172.30.2.1:8080").unwrap();
        call_from(&b, "[fd00:2::1]:8080").unwrap();
        call_from(&a, "172.30.2.1:8080").unwrap();
        call_from(&a, "[fd00:2::1]:8080").unwrap();
        host.unpublish(&published).unwrap();
        for address in ["127.0.0.1:8080", "172.30.2.1:8080", "[::1]:8080"] {
            assert_eq!(call(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "{address}");
        }
        host.undo_endpoint("a", &published).unwrap();
        host.undo_endpoint("a", &published).unwrap();
    });
}

#[test]
fn a_port_bound_to_one_address_answers_there_only() {
    on_a_host(|host| {
        let plan = network(3);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        let ports =
            [("tcp", 8081, Some("127.0.0.1")), ("tcp", 8082, Some("fd00:3::1")), ("tcp", 8083, Some("172.30.3.1"))];
        connect(host, ("n", &plan), "a", &endpoint(3, 2, &ports), &a).unwrap();
        let _server = Server::in_namespace(&a, "[::]:80");
        for address in ["127.0.0.1:8081", "[fd00:3::1]:8082", "172.30.3.1:8083"] {
            let answer = call(address);
            assert!(answer.is_ok(), "{address}: {answer:?}");
        }
        for address in ["172.30.3.1:8081", "[fd00:3::1]:8081", "[::1]:8082", "127.0.0.1:8082", "127.0.0.1:8083"] {
            assert_eq!(call(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "{address}");
        }
    });
}

#[test]
fn a_port_published_on_loopback_is_closed_to_containers_that_forge_the_destination() {
    on_a_host(|host| {
        let plan = network(4);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &endpoint(4, 2, &[]), &a).unwrap();
        let _server = Server::here("127.0.0.1:9000");
        let forged = a
            .run(|| {
                std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
                run("ip", &["addr", "del", "127.0.0.1/8", "dev", "lo"]);
                run("ip", &["route", "add", "127.0.0.0/8", "via", "172.30.4.1"]);
                run("ip", &["rule", "add", "pref", "0", "lookup", "main"]);
                Ok(call("127.0.0.1:9000"))
            })
            .unwrap();
        assert!(forged.is_err(), "{forged:?}");
    });
}

#[test]
fn a_port_on_which_a_process_of_the_host_listens_is_refused() {
    on_a_host(|host| {
        let plan = network(5);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        let v4 = TcpListener::bind("0.0.0.0:7001").unwrap();
        let v6 = TcpListener::bind("[::1]:7002").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:7003").unwrap();
        for (protocol, port) in [("tcp", 7001), ("tcp", 7002), ("udp", 7003)] {
            let wanted = endpoint(5, 2, &[(protocol, port, None)]);
            let answer = connect(host, ("n", &plan), "a", &wanted, &a);
            assert!(matches!(&answer, Err(NetError::Conflict(text)) if text.contains(&port.to_string())), "{answer:?}");
            host.undo_endpoint("a", &wanted).unwrap();
        }
        drop((v4, v6, udp));
        connect(host, ("n", &plan), "a", &endpoint(5, 2, &[("tcp", 7001, None)]), &a).unwrap();
    });
}

#[test]
fn one_port_leads_to_one_container() {
    on_a_host(|host| {
        let plan = network(6);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        let first = endpoint(6, 2, &[("tcp", 8080, None)]);
        let second = endpoint(6, 3, &[("tcp", 8080, None)]);
        connect(host, ("n", &plan), "a", &first, &a).unwrap();
        assert!(matches!(connect(host, ("n", &plan), "b", &second, &b), Err(NetError::Conflict(_))));
        // Undoing the one that lost leaves the other's port.
        host.undo_endpoint("b", &second).unwrap();
        let _server = Server::in_namespace(&a, "0.0.0.0:80");
        call("127.0.0.1:8080").unwrap();
    });
}

#[test]
fn a_published_udp_port_answers_from_the_address_that_was_asked() {
    on_a_host(|host| {
        let plan = network(20);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &endpoint(20, 2, &[("udp", 5353, None)]), &a).unwrap();
        let inside = a.run(|| Ok(UdpSocket::bind("0.0.0.0:80").unwrap())).unwrap();
        inside.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
        outside.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        outside.connect("127.0.0.1:5353").unwrap();
        outside.send(b"question").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = inside.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        inside.send_to(b"answer", from).unwrap();
        // The socket is connected: only what comes from the published address arrives.
        let length = outside.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"answer");
    });
}

#[test]
fn a_sender_of_udp_that_never_pauses_reaches_whoever_has_the_port_now() {
    on_a_host(|host| {
        let plan = network(21);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
        outside.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let answer = || {
            let mut buffer = [0; 16];
            // What an earlier packet was refused with is reported once.
            for _ in 0..3 {
                let sent = outside.send_to(b"question", "127.0.0.1:5354");
                if let Ok((length, _)) = sent.and_then(|_| outside.recv_from(&mut buffer)) {
                    return Some(buffer[..length].to_vec());
                }
            }
            None
        };
        assert_eq!(answer(), None, "nobody has the port");
        for (id, nth) in [("a", 2), ("b", 3)] {
            let space = Netns::create().unwrap();
            let wanted = endpoint(21, nth, &[("udp", 5354, None)]);
            connect(host, ("n", &plan), id, &wanted, &space).unwrap();
            let inside = space.run(|| Ok(UdpSocket::bind("0.0.0.0:80").unwrap())).unwrap();
            inside.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let echo = std::thread::spawn(move || {
                let mut buffer = [0; 16];
                while let Ok((_, from)) = inside.recv_from(&mut buffer) {
                    inside.send_to(id.as_bytes(), from).unwrap();
                }
            });
            assert_eq!(answer().as_deref(), Some(id.as_bytes()), "{id} has the port");
            // The container is still there, and answers whoever reaches it.
            host.unpublish(&wanted).unwrap();
            assert_eq!(answer(), None, "{id} has it no more");
            echo.join().unwrap();
            host.undo_endpoint(id, &wanted).unwrap();
        }
    });
}
